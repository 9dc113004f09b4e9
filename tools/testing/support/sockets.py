# SPDX-License-Identifier: GPL-2.0
"""AF_XDP sockets in a guest: processes that turn back what comes to them (xsk.py, which must be among the files of the guest)."""

import json
import re
from contextlib import contextmanager

from lab.agent import PYTHON
from support import xsk

PROGRAM = xsk.__file__
# What is said of a queue that could not be reset when its pool went.
BROKEN = re.compile(r"queue \d+ of \S+ is broken, after an AF_XDP pool")


def spawn(guest, name, **arguments):
    """A process with a socket on an interface, see xsk.py. It has to say `bound`."""
    return guest.spawn([*PYTHON, "/payload/xsk.py", json.dumps({"interface": name, **arguments})])


def wrong(counted):
    """What of it should not be, if all that was sent was right."""
    return {name: value for name, value in counted.items() if value and name in xsk.STATISTICS and "empty" not in name}


@contextmanager
def user(guest, name, zerocopy=True, **arguments):
    """A process with a socket. Yields what it has counted, when it has ended."""
    counted = {}
    with spawn(guest, name, copy=not zerocopy, **arguments) as process:
        process.says("bound")
        yield counted
        process.stop()
        process.wait()
        bound, counts = map(json.loads, process.output().splitlines())
        counted |= counts
    assert bound["zerocopy"] == zerocopy
