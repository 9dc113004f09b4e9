# SPDX-License-Identifier: GPL-2.0
"""Where the time of a run of tests goes: each kind of thing that is waited for, in seconds, and how often it was."""

import json
import os
import threading
import time
from contextlib import contextmanager

# Of a guest's process, not of waiting for it: what its processors, emulated or not, were busy with.
BUSY = "busy"
# Where a process of tests writes them to, in its folder of logs.
FILE = "times.json"


class Times:
    """What this process has waited for. Of what is within another, the outer one has it."""

    def __init__(self):
        self.kinds = {}
        self.within = threading.local()

    def add(self, kind, seconds):
        number, total = self.kinds.get(kind, (0, 0.0))
        self.kinds[kind] = (number + 1, total + seconds)

    @contextmanager
    def of(self, kind):
        if getattr(self.within, "other", False):
            yield
            return
        self.within.other = True
        start = time.monotonic()
        try:
            yield
        finally:
            self.within.other = False
            self.add(kind, time.monotonic() - start)


times = Times()
of = times.of


def busy(pid):
    """What a process has used of the processors, in seconds, unless it has ended already: proc_pid_stat(5)."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except FileNotFoundError:
        return
    times.add(BUSY, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))


def sleep(seconds, sleeping=time.sleep):
    with of("sleep"):
        sleeping(seconds)


def write(path):
    path.write_text(json.dumps(times.kinds))


def read(path):
    """The same as it was written; of a run that did not come to its end, nothing."""
    return json.loads(path.read_text()) if path.exists() else {}
