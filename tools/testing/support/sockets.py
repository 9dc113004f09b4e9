# SPDX-License-Identifier: GPL-2.0
"""AF_XDP sockets in a guest: processes that turn back what comes to them (xsk.py, which must be among the files of the guest)."""

import json
import re
from contextlib import contextmanager

from lab.agent import PYTHON
from support import faults, xsk

PROGRAM = xsk.__file__
# What is said of a queue that could not be reset when its pool went.
BROKEN = re.compile(r"queue \d+ of \S+ is broken, after an AF_XDP pool")


def bring_up(guest, several):
    """Brings up all NICs, of which one has several queues."""
    for nic in guest.nics:
        guest.bring_up(nic)
    # A TAP chooses among queues by a hash, which differs from host to host; sockets are on the first one.
    guest.run(["ethtool", "-L", guest.interface(several), "combined", 1])


def spawn(guest, name, **arguments):
    """A process with a socket on an interface, see xsk.py. It has to say `bound`."""
    return guest.spawn([*PYTHON, "/payload/xsk.py", json.dumps({"interface": name, **arguments})])


def ends(guest, process, others=0):
    """Has a process with a socket end, and waits until the kernel has taken its pool from the queue, which is reset for that, and given its
    memory back: a work does that later. What comes while the queue is reset is lost if the device does not keep it. So many memories of
    `others` stay."""
    process.stop()
    process.ended()
    faults.wait(lambda: memories(guest) <= others, "the memory of the socket is not given back")


def memories(guest):
    """How many memories of sockets there are. The kernel counts pages that devices have: for each CPU, so some of them are counted late."""
    counts = dict(line.split() for line in guest.read("/proc/vmstat").splitlines())
    return round((int(counts["nr_foll_pin_acquired"]) - int(counts["nr_foll_pin_released"])) / xsk.CHUNKS)


def wrong(counted):
    """What of it should not be, if all that was sent was right."""
    return {name: value for name, value in counted.items() if value and name in xsk.STATISTICS and "empty" not in name}


@contextmanager
def user(guest, name, zerocopy=True, **arguments):
    """A process with a socket. Yields what it has counted, when it has ended."""
    counted = {}
    others = memories(guest)
    with spawn(guest, name, copy=not zerocopy, **arguments) as process:
        process.says("bound")
        yield counted
        ends(guest, process, others)
        process.wait()
        bound, counts = map(json.loads, process.output().splitlines())
        counted |= counts
    assert bound["zerocopy"] == zerocopy
