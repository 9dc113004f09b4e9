# SPDX-License-Identifier: GPL-2.0
"""A device that passes on what it was told to: what the guest wants to receive arrives, and nothing else does."""

import socket

import pytest

from support import exchange, faults, filters, ordered, peer
from support.filters import address, group
from support.kernels import all_only

pytestmark = all_only("the device does right here, which make check has with the stock kernel")

PLAIN = "MAC STATUS CTRL_VQ VERSION_1 MRG_RXBUF"
FILTERS = PLAIN + " CTRL_RX CTRL_VLAN CTRL_MAC_ADDR"
DEVICES = {
    "vhost-user": ("vhost-user", FILTERS),
    "vfio-user": ("vfio-user", FILTERS),
    "unfiltered": ("vhost-user", PLAIN),
}
NAMES = list(DEVICES)
OTHER, NEW, GROUP = address(1), address(2), group(1)
VLAN, VLAN_ADD = 9, (2, 0)
PROMISC = (0, 0)
# So many frames of each kind: that all of them are filtered is no chance. Their length without a header.
COUNT, LENGTH = 20, 60


@pytest.fixture(scope="module")
def guest(boot, driver):
    nics = [ordered.made(names, way=way) for way, names in DEVICES.values()]
    # The module has the device pass on what is tagged for no VLAN.
    with faults.serving(boot, driver, nics, modules=["8021q"]) as guest:
        yield guest


@pytest.fixture
def nic(guest):
    return guest.nics[0]


@pytest.fixture(params=["vhost-user", "vfio-user"])
def each(guest, request):
    return guest.nics[NAMES.index(request.param)]


def plain(text):
    """An address as the device shows it."""
    return exchange.mac_bytes(text).hex()


def becomes(nic, **wanted):
    filters.becomes(lambda: nic.order("filters"), **wanted)


def frame(destination, body, vlan=None):
    """One that the peer in the guest sends back, tagged for a VLAN if there is one."""
    tag = b"" if vlan is None else b"\x81\x00" + vlan.to_bytes(2, "big")
    return exchange.mac_bytes(destination) + ordered.SOURCE + tag + peer.ETHERTYPE.to_bytes(2, "big") + body


def arrive(nic, destination, vlan=None, own=None):
    """Whether frames from the TAP arrive in the guest; if not, the device has counted them. What comes through the only
    queue behind them, to the guest's own address, says when they have had their time."""
    *bodies, last = (peer.content(seed, LENGTH) for seed in range(COUNT + 1))
    nic.order("sent")
    before = nic.order("counters")["filtered"]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as link:
        link.bind((nic.tap, 0))
        for body in bodies:
            link.send(frame(destination, body, vlan))
        link.send(frame(own or nic.mac, last))
    answers = set()

    def is_over():
        # The guest sends back without its tag what is tagged for a VLAN that it does not have.
        answers.update(bytes.fromhex(packet["bytes"])[-LENGTH:] for _, packet in nic.order("sent"))
        return last in answers

    faults.wait(is_over, "what is for the guest in any case does not arrive")
    arrived = sum(body in answers for body in bodies)
    filtered = nic.order("counters")["filtered"] - before
    assert arrived == COUNT or arrived == 0 and filtered >= COUNT, (arrived, filtered)
    return arrived == COUNT


def codes(nic):
    """What the device has been told since the last call: classes with codes."""
    return [code for code, _ in ordered.commands(nic)]


def link_set(guest, nic, *words):
    guest.run(["ip", "link", "set", nic.name, *words])


def test_nothing_else_at_first(guest, each):
    multicast = sorted(map(plain, filters.groups(guest, each.name)))
    becomes(each, promiscuous=False, all_multicast=False, address=None, unicast=[], multicast=multicast, vlans=[0])
    assert not arrive(each, OTHER)
    assert not arrive(each, GROUP)
    assert arrive(each, "ff:ff:ff:ff:ff:ff")
    exchange.everything(guest, each)


def test_promiscuous_mode(guest, each):
    link_set(guest, each, "promisc", "on")
    becomes(each, promiscuous=True)
    assert arrive(each, OTHER)
    assert arrive(each, GROUP)
    link_set(guest, each, "promisc", "off")
    becomes(each, promiscuous=False)
    assert not arrive(each, OTHER)


def test_addresses(guest, nic):
    filters.change(guest, address, "add", nic.name, [1])
    becomes(nic, unicast=[plain(OTHER)])
    assert arrive(nic, OTHER)
    assert not arrive(nic, NEW)
    filters.change(guest, address, "del", nic.name, [1])
    becomes(nic, unicast=[])
    assert not arrive(nic, OTHER)


def test_groups(guest, nic):
    own = filters.groups(guest, nic.name)
    filters.change(guest, group, "add", nic.name, [1])
    becomes(nic, multicast=sorted(map(plain, [*own, GROUP])))
    assert arrive(nic, GROUP)
    assert not arrive(nic, group(2))
    filters.change(guest, group, "del", nic.name, [1])
    becomes(nic, multicast=sorted(map(plain, own)))
    assert not arrive(nic, GROUP)


def test_all_groups(guest, nic):
    link_set(guest, nic, "allmulticast", "on")
    becomes(nic, all_multicast=True)
    assert arrive(nic, GROUP)
    assert not arrive(nic, OTHER)
    link_set(guest, nic, "allmulticast", "off")
    becomes(nic, all_multicast=False)
    assert not arrive(nic, GROUP)


def test_vlans(guest, nic):
    assert not arrive(nic, nic.mac, VLAN)
    with filters.vlan_in(guest, nic, VLAN):
        becomes(nic, vlans=[0, VLAN])
        assert arrive(nic, nic.mac, VLAN)
        assert not arrive(nic, nic.mac, VLAN + 1)
    becomes(nic, vlans=[0])
    assert not arrive(nic, nic.mac, VLAN)


def test_vlan_that_is_refused(guest, nic):
    """What the device does not take does not count."""
    name = f"{nic.name}.{VLAN}"
    codes(nic)
    nic.order("script", answers=[{"command": VLAN_ADD, "ack": 1}])
    guest.run(["ip", "link", "add", "link", nic.name, "name", name, "type", "vlan", "id", VLAN], check=False)
    assert VLAN_ADD in codes(nic)
    assert nic.order("filters")["vlans"] == [0]
    assert not arrive(nic, nic.mac, VLAN)
    # With C it is there nevertheless.
    guest.run(["ip", "link", "delete", name], check=False)


def test_mode_that_is_withheld(guest, nic):
    """It counts when the driver has the answer."""
    codes(nic)
    nic.order("script", answers=[{"command": PROMISC, "withheld": True}])
    link_set(guest, nic, "promisc", "on")
    faults.wait(lambda: PROMISC in codes(nic), "the device is not told")
    found = nic.order("filters")
    nic.order("release")
    assert not found["promiscuous"]
    becomes(nic, promiscuous=True)
    link_set(guest, nic, "promisc", "off")
    becomes(nic, promiscuous=False)


def test_new_address(guest, each):
    link_set(guest, each, "address", NEW)
    becomes(each, address=plain(NEW))
    assert each.order("configuration").startswith(plain(NEW))
    assert arrive(each, NEW, own=NEW)
    assert not arrive(each, each.mac, own=NEW)
    link_set(guest, each, "address", each.mac)
    becomes(each, address=plain(each.mac))
    assert not arrive(each, NEW)


def test_device_without_filters(guest):
    nic = guest.nics[NAMES.index("unfiltered")]
    assert arrive(nic, OTHER)
    assert arrive(nic, GROUP)
    assert arrive(nic, nic.mac, VLAN)


def test_forgotten_with_the_driver(guest, driver, each):
    """A reset leaves nothing of what was set: the driver that comes next has the device's own address, and no VLAN."""
    guest.run(["ip", "link", "add", "link", each.name, "name", "above", "type", "vlan", "id", VLAN])
    link_set(guest, each, "address", NEW)
    becomes(each, address=plain(NEW), vlans=[0, VLAN])
    faults.bind_again(guest, driver, each)
    becomes(each, promiscuous=False, address=None, vlans=[0])
    assert not arrive(each, NEW)
    assert not arrive(each, each.mac, VLAN)
    exchange.everything(guest, each)
