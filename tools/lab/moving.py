# SPDX-License-Identifier: GPL-2.0
"""Guests that move: live migration from one process of QEMU's to another on this host."""

import copy
import time
from pathlib import Path

from lab import host, saved
from lab.guest import Guest

# The guest has left when QEMU in the other place says that it is there, as libvirt has it. Otherwise it has when all is sent.
ANSWERED = [{"capability": "return-path", "state": True}]
# How long QEMU takes to end that has not been able to go on with a guest.
TIMEOUT = 60


class MovingGuest(Guest):
    """A guest whose NICs are `Bridged`: where it goes there are others with the same names, and with TAPs of their own. It begins
    from a saved one, on a disk of its own that both processes open."""

    moves = 0

    def _saved_drive(self, state):
        if not self.moves:
            self.own = saved.overlay(Path(self.folder.name) / saved.DISK, state / saved.DISK, "qcow2")
        return self.own

    def _wait_for(self, source):
        """Has QEMU wait in the other place for the guest of `source`; returns the way there."""
        source.moves += 1
        folder = Path(self.folder.name) / str(source.moves)
        folder.mkdir()
        self.moves, self.wake = source.moves, None
        self.console = self.console.with_stem(f"guest-{self.number}-moved-{self.moves}")
        for nic in self.nics:
            nic.make_tap()
        way = f"unix:{folder}/way"
        self._launch(folder, [*self._command(folder, self.own, self.nics), "-incoming", "defer"])
        for end in source, self:
            end.qmp("migrate-set-capabilities", capabilities=ANSWERED)
        self.qmp("migrate-incoming", uri=way)
        return way

    def move(self):
        """Returns when the guest runs in the other place. It goes on while its memory is copied, and stands still only for the rest."""
        source = copy.copy(self)
        source._migrate(self._wait_for(source))
        source._end()
        while self._with_console(lambda: self.qmp("query-status"))["status"] != "running":
            time.sleep(0.02)

    def move_in_vain(self, queues, **properties):
        """To a place whose NICs have so many pairs of queues and other properties, and which does not take the guest; returns what QEMU
        says there. The guest goes on here, if it does as it should."""
        other = copy.copy(self)
        other.nics = [copy.copy(nic) for nic in self.nics]
        for nic in other.nics:
            nic.queues, nic.properties = queues, nic.properties | properties
        try:
            found = self._leave(other._wait_for(self))
            assert found["status"] == "failed", found
            other.process.wait(TIMEOUT)
            return other.tail()
        finally:
            other._end()
            for nic in other.nics:
                host.remove(nic.tap)
