# SPDX-License-Identifier: GPL-2.0
"""Guests that move: live migration from one process of QEMU's to another on this host."""

import copy
import time
from pathlib import Path

from lab import saved
from lab.guest import Guest


class MovingGuest(Guest):
    """A guest whose NICs are `Bridged`: where it goes there are others with the same names, and with TAPs of their own. It begins
    from a saved one, on a disk of its own that both processes open."""

    moves = 0

    def _saved_drive(self, state):
        if not self.moves:
            self.own = saved.overlay(Path(self.folder.name) / saved.DISK, state / saved.DISK, "qcow2")
        return self.own

    def move(self):
        """Returns when the guest runs in the other place. It goes on while its memory is copied, and stands still only for the rest."""
        self.moves += 1
        folder = Path(self.folder.name) / str(self.moves)
        folder.mkdir()
        source = copy.copy(self)
        self.wake = None
        self.console = self.console.with_stem(f"guest-{self.number}-moved-{self.moves}")
        for nic in self.nics:
            nic.make_tap()
        way = f"unix:{folder}/way"
        self._launch(folder, [*self._command(folder, self.own, self.nics), "-incoming", way])
        source._migrate(way)
        source._end()
        while self._with_console(lambda: self.qmp("query-status"))["status"] != "running":
            time.sleep(0.02)
