# SPDX-License-Identifier: GPL-2.0
"""What the device passes on is what the guest wants to receive, as QEMU has it: addresses, groups, VLANs."""

import pytest

from lab import traffic
from support import binding, commands, exchange, filters, vlan
from support.filters import address, change, group, groups, vlan_in
from support.kernel_log import errors, no_errors  # noqa: F401
from support.nics import LEGACY, PACKED

DEVICES = {
    "modern": {},
    "packed": PACKED,
    "legacy": LEGACY,
}
UNFILTERED = {"ctrl_rx": "off", "ctrl_rx_extra": "off", "ctrl_vlan": "off"}
# More than QEMU has room for.
MANY = 100


@pytest.fixture(scope="module")
def guest(boot, driver):
    with boot(nics=[*DEVICES.values(), UNFILTERED], files=[exchange.PEER]) as guest:
        driver.load(guest)
        guest.run(["modprobe", "8021q"])
        for nic in guest.nics:
            guest.bring_up(nic)
        with exchange.peer_in(guest):
            yield guest


@pytest.fixture(params=range(len(DEVICES)), ids=list(DEVICES))
def nic(guest, request):
    return guest.nics[request.param]


@pytest.fixture
def unfiltered(guest):
    return guest.nics[-1]


def in_device(guest, nic):
    return guest.qmp("query-rx-filter", name=nic.id)[0]


def becomes(guest, nic, **wanted):
    filters.becomes(lambda: in_device(guest, nic), **wanted)


def test_nothing_else_at_first(guest, nic):
    name = guest.interface(nic)
    wanted = {"promiscuous": False, "multicast": "normal", "unicast-table": [], "main-mac": nic.mac}
    becomes(guest, nic, **wanted, **{"multicast-table": groups(guest, name), "multicast-overflow": False})


@pytest.mark.parametrize("flag, field, on, off", [("promisc", "promiscuous", True, False), ("allmulticast", "multicast", "all", "normal")])
def test_everything(guest, nic, flag, field, on, off):
    name = guest.interface(nic)
    for _ in range(3):
        guest.run(["ip", "link", "set", name, flag, "on"])
        becomes(guest, nic, **{field: on})
        guest.run(["ip", "link", "set", name, flag, "off"])
        becomes(guest, nic, **{field: off})
    exchange.everything(guest, nic)


def test_addresses(guest, nic):
    name = guest.interface(nic)
    for numbers in (range(1), range(7)):
        change(guest, address, "add", name, numbers)
        becomes(guest, nic, **{"unicast-table": sorted(map(address, numbers)), "promiscuous": False})
        change(guest, address, "del", name, numbers)
        becomes(guest, nic, **{"unicast-table": []})


def test_groups(guest, nic):
    name = guest.interface(nic)
    own = groups(guest, name)
    for numbers in (range(1), range(7)):
        change(guest, group, "add", name, numbers)
        becomes(guest, nic, **{"multicast-table": sorted([*own, *map(group, numbers)]), "multicast": "normal"})
        change(guest, group, "del", name, numbers)
        becomes(guest, nic, **{"multicast-table": own})


@pytest.mark.parametrize("kind, overflow", [(address, "unicast-overflow"), (group, "multicast-overflow")])
def test_more_than_the_device_holds(guest, nic, kind, overflow):
    """It gets all of them, and takes that for everything."""
    name = guest.interface(nic)
    change(guest, kind, "add", name, range(MANY))
    becomes(guest, nic, **{overflow: True})
    exchange.pings(guest, nic)
    change(guest, kind, "del", name, range(MANY))
    becomes(guest, nic, **{overflow: False})


def received(guest, name):
    return int(guest.read(f"/sys/class/net/{name}/statistics/rx_packets"))


def test_packets_are_filtered(guest, nic):
    """Those to another station arrive once it is added. The answer to a ping comes after all that was sent before."""
    name = guest.interface(nic)
    source = exchange.mac_bytes(exchange.tap_mac(nic))

    def arrive(count=500):
        exchange.ping(traffic.host_run, nic.guest4)
        before = received(guest, name)
        frame = exchange.mac_bytes(address(1)) + source + b"\x88\xb6" + bytes(46)
        with exchange.socket.socket(exchange.socket.AF_PACKET, exchange.socket.SOCK_RAW) as link:
            link.bind((nic.tap, 0))
            for _ in range(count):
                link.send(frame)
        exchange.ping(traffic.host_run, nic.guest4)
        return received(guest, name) - before >= count

    assert not arrive()
    change(guest, address, "add", name, [1])
    becomes(guest, nic, **{"unicast-table": [address(1)]})
    assert arrive()
    change(guest, address, "del", name, [1])
    becomes(guest, nic, **{"unicast-table": []})
    assert not arrive()


def test_again_after_down_and_up(guest, nic):
    """What was changed while the interface was down counts when it is up."""
    name = guest.interface(nic)
    guest.run(["ip", "link", "set", name, "down"])
    change(guest, address, "add", name, range(3))
    guest.run(["ip", "link", "set", name, "promisc", "on", "up"])
    becomes(guest, nic, **{"unicast-table": [address(n) for n in range(3)], "promiscuous": True})
    guest.run(["ip", "link", "set", name, "promisc", "off"])
    change(guest, address, "del", name, range(3))
    becomes(guest, nic, **{"unicast-table": [], "promiscuous": False})
    guest.run(["ip", "address", "replace", f"{nic.guest6}/64", "dev", name, "nodad"])
    exchange.everything(guest, nic)


def test_device_without_filters(guest, unfiltered):
    name = guest.interface(unfiltered)
    change(guest, address, "add", name, range(3))
    guest.run(f"ip link set {name} promisc on && ip link set {name} promisc off")
    change(guest, address, "del", name, range(3))
    becomes(guest, unfiltered, **{"promiscuous": True, "vlan": "all"})
    exchange.everything(guest, unfiltered)


# --- VLANs ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tagger(tmp_path_factory):
    return vlan.build(tmp_path_factory.mktemp("vlan"))


@pytest.mark.parametrize("number", [1, vlan.ID, 4094])
def test_vlan(guest, nic, number, tagger):
    before = sorted(in_device(guest, nic)["vlan-table"])
    assert number not in before
    with vlan_in(guest, nic, number):
        becomes(guest, nic, **{"vlan": "normal", "vlan-table": sorted([*before, number])})
        if number == vlan.ID:
            with vlan.tagged(nic, tagger):
                exchange.reaches(nic)
    becomes(guest, nic, **{"vlan-table": before})
    exchange.pings(guest, nic)


def test_vlan_of_a_device_without_filters(guest, unfiltered, tagger):
    with vlan_in(guest, unfiltered, vlan.ID), vlan.tagged(unfiltered, tagger):
        exchange.reaches(unfiltered)
    exchange.pings(guest, unfiltered)


@pytest.mark.parametrize("number, wanted", [(0, "on [fixed]"), (-1, "off [fixed]")])
def test_feature(guest, number, wanted):
    name = guest.interface(guest.nics[number])
    assert f"rx-vlan-filter: {wanted}\n" in guest.run(["ethtool", "-k", name]).stdout


# --- Devices that do not do as they are told ----------------------------------------


@pytest.fixture(scope="module")
def faulty(boot, driver, faulty_module):
    with boot(nics=[{}], files=[faulty_module, exchange.PEER]) as guest:
        driver.load(guest)
        guest.run(["modprobe", "8021q"])
        guest.bring_up(guest.nics[0])
        with exchange.peer_in(guest):
            yield guest


@pytest.mark.parametrize("kind, field, everything, normal", [(address, "promiscuous", True, False), (group, "multicast", "all", "normal")])
def test_table_is_refused(faulty, kind, field, everything, normal):
    """The device passes on everything instead, until it takes a table."""
    nic = faulty.nics[0]
    name = faulty.interface(nic)
    commands.refuse(faulty, commands.MAC)
    change(faulty, kind, "add", name, [1])
    becomes(faulty, nic, **{field: everything})
    assert any("refuses VIRTIO_NET_CTRL_MAC_TABLE_SET" in line for line in faulty.kernel_messages())
    change(faulty, kind, "add", name, [2])
    becomes(faulty, nic, **{field: normal})
    change(faulty, kind, "del", name, [1, 2])
    exchange.everything(faulty, nic)


def test_mode_is_not_answered(faulty):
    """The command ends in time, and the mode is as wanted once the device has answered."""
    nic = faulty.nics[0]
    name = faulty.interface(nic)
    commands.parameter(faulty, "control_timeout", 300)
    for wanted in ("on", "off"):
        commands.withhold(faulty, commands.MODE)
        faulty.run(["ip", "link", "set", name, "promisc", wanted])
        assert "within 300 ms" in "\n".join(errors(faulty))
        exchange.pings(faulty, nic)
        becomes(faulty, nic, promiscuous=wanted == "on")
        commands.resynced(faulty)
    assert errors(faulty) == []
    commands.parameter(faulty, "control_timeout", 5000)
    exchange.everything(faulty, nic)


def test_vlan_is_refused(faulty):
    nic = faulty.nics[0]
    name = faulty.interface(nic)
    commands.refuse(faulty, commands.VLAN)
    done = faulty.run(["ip", "link", "add", "link", name, "name", "refused", "type", "vlan", "id", 7], check=False)
    assert done.rc != 0 and "Invalid argument" in done.stderr, done
    assert "refused" not in faulty.run(["ip", "link"]).stdout
    with vlan_in(faulty, nic, 7):
        becomes(faulty, nic, **{"vlan": "normal"})
        assert 7 in in_device(faulty, nic)["vlan-table"]
    assert 7 not in in_device(faulty, nic)["vlan-table"]
    exchange.pings(faulty, nic)


def test_device_goes_with_filters(faulty, driver):
    """And comes back with those that are wanted then."""
    nic = faulty.nics[0]
    name, device = faulty.interface(nic), faulty.virtio_device(nic)
    faulty.run(["ip", "link", "add", "link", name, "name", "above", "type", "vlan", "id", 8])
    change(faulty, address, "add", name, range(3))
    binding.unbind(faulty, driver, device)
    binding.bind(faulty, driver, device)
    faulty.bring_up(nic)
    becomes(faulty, nic, **{"unicast-table": [], "promiscuous": False})
    assert 8 not in in_device(faulty, nic)["vlan-table"]
    exchange.everything(faulty, nic)
