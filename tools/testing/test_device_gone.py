# SPDX-License-Identifier: GPL-2.0
"""A device that goes away: unplugged under traffic or while it says nothing, or dead from one moment to the next."""

import pytest

from support import binding, exchange, limit, ordered
from support.kernel_log import errors, no_errors  # noqa: F401

OFFERED = "MAC MRG_RXBUF STATUS CTRL_VQ CTRL_RX VERSION_1"
# One for each test, in a slot that it can be unplugged from; the last one stays.
NAMES = ("flooded", "silent", "owes an answer", "dead", "dead, asked", "other")
RX, TX, CONTROL = 0, 1, 2
LIMIT = 1000


@pytest.fixture(scope="module")
def guest(boot, driver):
    nics = [ordered.made(OFFERED, bus=f"port{number}") for number, _ in enumerate(NAMES)]
    with boot(nics=nics, files=[exchange.PEER], shared_memory=True) as guest:
        limit.load(guest, driver, LIMIT)
        for nic in nics:
            nic.name = guest.bring_up(nic)
        with exchange.peer_in(guest):
            yield guest


@pytest.fixture
def other(guest):
    return guest.nics[NAMES.index("other")]


def gone(guest, nic, other):
    """Nothing of it is left, and nothing else is the worse for it."""
    assert nic.mac not in guest.run(["ip", "link"]).stdout
    exchange.everything(guest, other)


def unplug(guest, nic):
    guest.unplug(nic, limit.HANGS)


def ask(guest, nic):
    """Has the driver send a command that does not keep whoever is behind it waiting."""
    guest.run(["ip", "link", "set", nic.name, "promisc", "on"])


def test_unplugged_under_traffic(guest, other):
    nic = guest.nics[NAMES.index("flooded")]
    with exchange.peer_on_host(), exchange.flooded(guest, nic):
        exchange.reaches(nic)
        unplug(guest, nic)
    gone(guest, nic, other)


def test_unplugged_while_it_does_nothing(guest, other):
    """It has buffers and packets, and gives none of them back."""
    nic = guest.nics[NAMES.index("silent")]
    for queue in (RX, TX):
        nic.order("stop", queue=queue, on=True)
    guest.run(["ping", "-n", "-q", "-c", 3, "-i", "0.2", "-W", 1, nic.host4], check=False)
    unplug(guest, nic)
    gone(guest, nic, other)


def test_unplugged_while_it_owes_an_answer(guest, other):
    nic = guest.nics[NAMES.index("owes an answer")]
    nic.order("stop", queue=CONTROL, on=True)
    ask(guest, nic)
    unplug(guest, nic)
    errors(guest)
    gone(guest, nic, other)


def let_go(guest, driver, nic):
    """Takes it from the driver, which has to do without the device's help."""
    name = guest.virtio_device(nic)
    guest.run(["ip", "link", "set", nic.name, "down"], timeout=limit.HANGS)
    guest.run(f"echo {name} >{binding.BUS}/drivers/{driver.name}/unbind", timeout=limit.HANGS)


def test_dead(guest, driver, other):
    """From one moment to the next, under traffic."""
    nic = guest.nics[NAMES.index("dead")]
    with exchange.peer_on_host(), exchange.flooded(guest, nic):
        exchange.reaches(nic)
        nic.die()
        done = guest.run(["ping", "-n", "-q", "-c", 3, "-i", "0.2", "-W", 1, nic.host4], check=False)
        assert " 0 received" in done.stdout
    let_go(guest, driver, nic)
    gone(guest, nic, other)
    errors(guest)


def test_dead_when_it_is_asked(guest, driver, other):
    nic = guest.nics[NAMES.index("dead, asked")]
    nic.die()
    ask(guest, nic)
    let_go(guest, driver, nic)
    gone(guest, nic, other)
    errors(guest)


def test_module_can_be_unloaded(guest, driver):
    """The last test of this guest."""
    driver.unload(guest)
