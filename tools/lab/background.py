# SPDX-License-Identifier: GPL-2.0
"""A command that goes on in a guest while something else is done."""

import signal
import time

from lab import kernel
from lab.agent import CommandFailed, as_argv


class Background:
    """A command that goes on in the guest. As a context manager, it is stopped at the end."""

    def __init__(self, guest, command):
        self.guest = guest
        number, pid, *paths = guest.ask("spawn", *as_argv(command))
        self.number, self.pid, self.paths = int(number), int(pid), [path.decode() for path in paths]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop(signal.SIGKILL)

    def stop(self, number=signal.SIGTERM):
        self.guest.ask("stop", self.number, int(number))

    def output(self):
        """What it has said up to now, on both outputs."""
        return "".join(self.guest.get(path).decode(errors="replace") for path in self.paths)

    def says(self, text, timeout=60):
        """Waits until it has said a text."""
        limit = time.monotonic() + kernel.patient(timeout)
        while text not in self.output():
            if time.monotonic() > limit:
                raise CommandFailed(f"{text!r} was not said within {timeout} s\n{self.output()}")
            time.sleep(0.02)

    def ended(self, timeout=60):
        """Waits for its end; returns its status, or None if it goes on."""
        return self.guest.wait_for(self.number, timeout)

    def wait(self, timeout=60, check=True):
        rc = self.ended(timeout)
        if rc is None:
            raise CommandFailed(f"not done within {timeout} s\n{self.output()}")
        if check and rc != 0:
            raise CommandFailed(f"exit status {rc}\n{self.output()}")
        return rc
