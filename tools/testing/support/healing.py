# SPDX-License-Identifier: GPL-2.0
"""What heals by itself: waiting for that, and what is said and counted of it."""

import contextlib
import re

import pytest

from lab import driver as drivers
from lab.agent import CommandFailed
from support import counters, exchange, faults
from support.kernel_log import errors

# The device status (virtio 1.3, section 2.1) of one that is in use.
READY = 0x0F
# What the watchdog does.
RUNGS = ("watchdog_polls", "watchdog_kicks", "watchdog_resets", "watchdog_given_up")


def rungs(guest, nic):
    """How often the watchdog has done what."""
    found = {}

    def is_there():
        # While it is reset the interface is absent.
        with contextlib.suppress(CommandFailed):
            found.update(counters.ethtool(guest, nic.name))
        return bool(found)

    faults.wait(is_there, "the interface is not there")
    return [found[name] for name in RUNGS]


def reset_because(nic, why):
    """What the log says of a reset for this reason."""
    return re.compile(rf"{why}: resetting {nic.name}$")


def healed(guest, nic, why):
    """Waits until the device has been reset for that reason, and all flows. There is one line in the log, and no other."""
    said = faults.said(guest, reset_because(nic, why))
    exchange.reaches(nic)
    said += errors(guest)
    assert len(said) == 1, said


NOTHING_FLOWS = "nothing flows until the device is bound again"
BOUND_AGAIN = "the queue is broken until the device is bound again"


def queue_heals(guest, driver, nic, kind, number=0):
    """The virtio core has given up a queue, and says so: the device is reset, and all flows. With C it has to be bound again."""
    if driver is drivers.C:
        faults.said_once(guest)
        faults.bind_again(guest, driver, nic)
        pytest.fail(BOUND_AGAIN)
    said = faults.said(guest, reset_because(nic, f"{kind} queue {number} is broken"))
    exchange.reaches(nic)
    said += errors(guest)
    assert len(said) == 2 and faults.BROKEN.search(said[0]), said
    # So that it is forgiven.
    faults.bind_again(guest, driver, nic)


def by_hand(guest, *nics, parts="all"):
    """Has devices reset by hand, and waits until they are back. Whatever failed before is forgiven."""

    def ups():
        return [int(guest.read(f"/sys/class/net/{nic.name}/carrier_up_count")) for nic in nics]

    before = ups()
    for nic in nics:
        reset = ["ethtool", "--reset", nic.name, parts]
        faults.wait(lambda reset=reset: guest.run(reset, check=False).rc == 0, "it cannot be reset by hand")
    faults.wait(lambda: all(now > then for now, then in zip(ups(), before)), "not all come back")


def function(guest, nic):
    """The folder of the PCI function of a NIC."""
    return guest.run(["readlink", "-f", f"/sys/class/net/{nic.name}/device/.."]).stdout.strip()


def reset_function(guest, path):
    guest.run(f"echo flr >{path}/reset_method && echo 1 >{path}/reset")
