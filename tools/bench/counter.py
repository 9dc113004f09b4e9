# SPDX-License-Identifier: GPL-2.0
"""The host's end of counter.c: how many instructions a guest has executed, and where."""

import socket
import struct
import subprocess
import time
from pathlib import Path

from lab.agent import GuestDied

SOURCE = Path(__file__).with_name("counter.c")
# A guest that does nothing executes some 100,000 instructions in a second, in bursts.
LOOK = 0.05
QUIET = 60_000
LOOKS = 3


def build(folder):
    plugin = Path(folder) / "counter.so"
    command = ["gcc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden", "-o", plugin, SOURCE]
    subprocess.run(command, check=True)
    return plugin


class Counter:
    """Counts in the guest that was started with `arguments`."""

    def __init__(self, folder):
        self.path = Path(folder) / "counter"
        self.plugin = build(folder)

    def arguments(self):
        return ["-plugin", f"file={self.plugin},socket={self.path}"]

    def connect(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(self.path))
        self.stream = self.socket.makefile("rb")

    def _number(self):
        data = self.stream.read(8)
        if len(data) < 8:
            raise GuestDied("QEMU ended")
        return struct.unpack("=Q", data)[0]

    def total(self):
        """Instructions up to now."""
        self.socket.sendall(b"t")
        return self._number()

    def entered(self, address):
        """How often the code at an address was jumped to or called."""
        self.socket.sendall(b"e" + struct.pack("=Q", address))
        return self._number()

    def wait(self, looks):
        """The guest waits at each notification until the device has had nothing to do for so many looks."""
        self.socket.sendall(b"w" + struct.pack("=Q", looks))

    def blocks(self):
        """How often each block of code was entered: by address and number of instructions."""
        self.socket.sendall(b"b")
        data = self.stream.read(24 * self._number())
        return {(address, length): count for address, length, count in struct.iter_unpack("=QQQ", data)}

    def settled(self, timeout=60):
        """Waits until the guest has nothing more to do; returns `total`."""
        limit = time.monotonic() + timeout
        last, quiet = self.total(), 0
        while quiet < LOOKS:
            if time.monotonic() > limit:
                raise TimeoutError(f"the guest has not come to rest within {timeout} s")
            time.sleep(LOOK)
            now = self.total()
            quiet = quiet + 1 if now - last < QUIET else 0
            last = now
        return last
