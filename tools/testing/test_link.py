# SPDX-License-Identifier: GPL-2.0
"""The link goes down and comes back, as the device says."""

import pytest

from support import exchange
from support.kernel_log import no_errors  # noqa: F401
from support.nics import LEGACY


@pytest.fixture(scope="module")
def guest(boot, driver):
    with boot(nics=[{}, {"status": "off"}, LEGACY], files=[exchange.PEER]) as guest:
        driver.load(guest)
        for nic in guest.nics:
            guest.bring_up(nic)
        with exchange.peer_in(guest):
            yield guest


def carrier(guest, name):
    return guest.run(["cat", f"/sys/class/net/{name}/carrier"]).stdout.strip()


def wait_for_carrier(guest, name, wanted):
    """It follows the device's interrupt, which may take a moment."""
    guest.run(f"until [ $(cat /sys/class/net/{name}/carrier) = {wanted} ]; do sleep 0.05; done")


@pytest.mark.parametrize("number", [0, 2], ids=["modern", "legacy"])
def test_carrier_follows_the_device(guest, number):
    nic = guest.nics[number]
    name = guest.interface(nic)
    for _ in range(5):
        guest.set_link(nic, False)
        wait_for_carrier(guest, name, 0)
        # Other NICs go on.
        exchange.ping(guest.run, guest.nics[1].host4)
        guest.set_link(nic, True)
        wait_for_carrier(guest, name, 1)
        exchange.ping(guest.run, nic.host4)
    exchange.everything(guest, nic)


def test_link_goes_and_comes_under_traffic(guest):
    nic = guest.nics[0]
    name = guest.interface(nic)
    with exchange.peer_on_host(), exchange.flooded(guest, nic):
        for _ in range(10):
            guest.set_link(nic, False)
            wait_for_carrier(guest, name, 0)
            guest.set_link(nic, True)
            wait_for_carrier(guest, name, 1)
    exchange.everything(guest, nic)


def test_link_that_changes_while_the_interface_is_down(guest):
    nic = guest.nics[0]
    name = guest.interface(nic)
    for up in (False, True):
        guest.run(["ip", "link", "set", name, "down"])
        guest.set_link(nic, up)
        guest.run(["ip", "link", "set", name, "up"])
        wait_for_carrier(guest, name, int(up))
    guest.run(["ip", "address", "replace", f"{nic.guest6}/64", "dev", name, "nodad"])
    exchange.everything(guest, nic)


def test_device_without_link_state(guest):
    nic = guest.nics[1]
    name = guest.interface(nic)
    assert carrier(guest, name) == "1"
    guest.set_link(nic, False)
    assert carrier(guest, name) == "1"
    guest.set_link(nic, True)
    exchange.everything(guest, nic)
