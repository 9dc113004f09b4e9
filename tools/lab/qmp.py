# SPDX-License-Identifier: GPL-2.0
"""A client of QEMU's monitor protocol, with the events kept for who waits for them."""

import json
import socket

from lab.agent import GuestDied


class QmpError(Exception):
    """QEMU refused a command."""


class Qmp:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.stream = self.socket.makefile("rb")
        self.events = []
        self._read(10)
        self("qmp_capabilities")

    def close(self):
        self.stream.close()
        self.socket.close()

    def _read(self, timeout):
        self.socket.settimeout(timeout)
        try:
            line = self.stream.readline()
        except TimeoutError:
            raise GuestDied(f"QEMU's monitor did not answer within {timeout} s") from None
        except OSError:
            line = b""
        if not line:
            raise GuestDied("QEMU ended")
        return json.loads(line)

    def __call__(self, command, timeout=60, **arguments):
        """Runs a command; a `_` in a name stands for the `-` that Python does not allow."""
        return self.execute(command, {k.replace("_", "-"): v for k, v in arguments.items()}, timeout)

    def execute(self, command, arguments, timeout=60):
        """The same, with names as they are."""
        request = {"execute": command, "arguments": arguments}
        try:
            self.socket.sendall(json.dumps(request).encode() + b"\n")
        except OSError:
            raise GuestDied("QEMU ended") from None
        while True:
            answer = self._read(timeout)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise QmpError(f"{command}: {answer['error']['desc']}")
            self.events.append(answer)

    def wait_event(self, name, timeout=60, **data):
        """Waits for an event that has this data, or takes one that came before."""
        while True:
            for event in self.events:
                if event.get("event") == name and data.items() <= event.get("data", {}).items():
                    self.events.remove(event)
                    return event
            self.events.append(self._read(timeout))
