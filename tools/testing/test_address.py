# SPDX-License-Identifier: GPL-2.0
"""Changing the MAC address: by command, by configuration space, or in the guest only."""

import json

import pytest

from lab import traffic

LEGACY = {"disable-modern": "on", "disable-legacy": "off"}
# The properties of a device, and whether it gets to know the address.
DEVICES = {
    "command": ({}, True),
    "configuration": ({**LEGACY, "ctrl_mac_addr": "off"}, True),
    "neither": ({"ctrl_mac_addr": "off"}, False),
}
NAMES = list(DEVICES)


@pytest.fixture(scope="module")
def guest(boot, driver):
    with boot(nics=[properties for properties, _ in DEVICES.values()]) as guest:
        driver.load(guest)
        for nic in guest.nics:
            guest.bring_up(nic)
        yield guest


def mac_of(guest, name):
    return json.loads(guest.run(["ip", "-json", "link", "show", name]).stdout)[0]["address"]


def mac_in_device(guest, nic):
    return guest.qmp("query-rx-filter", name=nic.id)[0]["main-mac"]


@pytest.mark.parametrize("device", NAMES)
def test_address_is_changed(guest, device):
    nic = guest.nics[NAMES.index(device)]
    name = guest.interface(nic)
    new = nic.mac.replace("52:54:00:00", "52:54:00:aa")
    guest.run(["ip", "link", "set", name, "address", new])
    assert mac_of(guest, name) == new
    assert mac_in_device(guest, nic) == (new if DEVICES[device][1] else nic.mac)
    # The host learns the new address, since the guest asks for its own first.
    assert traffic.ping(guest.run, nic.host4) == 5


@pytest.mark.parametrize("device", NAMES)
def test_address_of_a_group_is_refused(guest, device):
    nic = guest.nics[NAMES.index(device)]
    name = guest.interface(nic)
    before = mac_of(guest, name), mac_in_device(guest, nic)
    done = guest.run(["ip", "link", "set", name, "address", "01:00:5e:00:00:01"], check=False)
    assert done.rc != 0 and "Cannot assign requested address" in done.stderr
    assert before == (mac_of(guest, name), mac_in_device(guest, nic))
