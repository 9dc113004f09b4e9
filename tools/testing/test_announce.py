# SPDX-License-Identifier: GPL-2.0
"""The device wants the neighbours told where it is, as QEMU does after a migration: they are, and it is told so."""

import time

import pytest

from lab import kernel
from lab.agent import PYTHON
from support import exchange
from support.announcements import arp_of, wait_for
from support.kernel_log import no_errors  # noqa: F401
from support.nics import LEGACY

LINK_UP = 1
# QEMU asks for it again and again, unless it is told what to do.
ONCE = {"initial": 50, "max": 50, "rounds": 1, "step": 0}


@pytest.fixture(scope="module")
def guest(boot, driver):
    with boot(nics=[{}, LEGACY, {"guest_announce": "off"}], files=[exchange.PEER]) as guest:
        driver.load(guest)
        for nic in guest.nics:
            guest.bring_up(nic)
        with exchange.peer_in(guest):
            yield guest


def status(guest, nic):
    """The status in the configuration space of a legacy device, after the registers of its ports (virtio 1.3, 4.1.4.10)."""
    path = f"/sys/class/net/{guest.interface(nic)}/device/../resource0"
    read = f"import os; print(os.pread(os.open('{path}', os.O_RDONLY), 2, 24 + 6)[0])"
    return int(guest.run([*PYTHON, "-c", read]).stdout)


def announce(guest, nic):
    guest.qmp("announce-self", interfaces=[nic.id], id=nic.id, **ONCE)


def test_device_gets_the_ack(guest):
    """Its status says that it asks until it has been told that it was done."""
    nic = guest.nics[1]
    with arp_of(nic) as count:
        announce(guest, nic)
        wait_for(count)
    limit = time.monotonic() + kernel.patient(30)
    while status(guest, nic) != LINK_UP:
        assert time.monotonic() < limit, "the device still asks"
        time.sleep(0.1)


@pytest.mark.parametrize("number", [0, 1], ids=["modern", "legacy"])
def test_announced(guest, number):
    """Each time, and only then."""
    nic = guest.nics[number]
    name = guest.interface(nic)
    with arp_of(nic) as count:
        for _ in range(3):
            announce(guest, nic)
            wait_for(count)
            for up in (False, True):
                guest.set_link(nic, up)
                guest.wait_for_carrier(name, up)
            exchange.ping(guest.run, nic.host4)
            assert count() == 0
    exchange.everything(guest, nic)


def test_announced_while_the_interface_is_down(guest):
    nic = guest.nics[0]
    name = guest.interface(nic)
    guest.run(["ip", "link", "set", name, "down"])
    announce(guest, nic)
    guest.bring_up(nic)
    exchange.everything(guest, nic)
    with arp_of(nic) as count:
        announce(guest, nic)
        wait_for(count)


def test_device_that_does_not_ask(guest):
    """QEMU speaks for the guest then."""
    nic = guest.nics[2]
    with arp_of(nic) as count:
        announce(guest, nic)
        exchange.ping(guest.run, nic.host4)
        assert count() == 0
