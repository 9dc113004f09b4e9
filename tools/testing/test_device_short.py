# SPDX-License-Identifier: GPL-2.0
"""A device whose configuration is too short for what it offers, or whose rings are: it costs the features that there is no room for."""

import pytest

from lab import device, features
from support import binding, counters, exchange
from support.kernel_log import no_errors  # noqa: F401

PLAIN = "CTRL_VQ MRG_RXBUF VERSION_1"
# Each feature that has a field, and where the last of its fields ends (virtio 1.3, section 5.1.4).
ENDS = {"MAC": 6, "STATUS": 8, "MQ": 10, "MTU": 12, "SPEED_DUPLEX": 17, "RSS": 24, "HASH_REPORT": 24}
CONFIG = {"mtu": 1400, "speed": 1000, "duplex": 1, "key_size": 40, "table_size": 8, "hash_types": 0x3F}
# In bytes: a word, up to the byte before and the one behind some field, and all.
LENGTHS = (4, 7, 10, 11, 17, 23, 24)
# In descriptors: fewer than the longest packet has parts.
RING = 16
# Fewer than a command has.
TINY = 2
SENDS = "CSUM HOST_TSO4"


def made(length, *more):
    numbers = {name: number for number, name in features.names().items()}
    nic = device.Device([numbers[name] for name in (*PLAIN.split(), *ENDS, *more)], way="vfio-user", **CONFIG)
    nic.settings["config_length"] = length
    return nic


def short_rings(size):
    nic = made(LENGTHS[-1], *SENDS.split())
    nic.settings["queue_size"] = size
    return nic


def find(guest, driver):
    """Notes the address of each device: one that has no room for it has another by chance."""
    found = sorted(binding.bound(guest, driver), key=lambda name: int(name.removeprefix("virtio")))
    for nic, name in zip(guest.nics, found, strict=True):
        nic.mac = guest.run(f"cat {binding.BUS}/devices/{name}/net/*/address").stdout.strip()


@pytest.fixture(scope="module")
def guest(boot, driver):
    nics = [*map(made, LENGTHS), made(LENGTHS[0], "STANDBY"), short_rings(RING), short_rings(TINY)]
    with boot(nics=nics, files=[exchange.PEER], shared_memory=True) as guest:
        driver.load(guest)
        guest.first_messages = guest.run(["dmesg", "--notime"]).stdout.splitlines()
        find(guest, driver)
        with exchange.peer_in(guest):
            yield guest


@pytest.mark.parametrize("length", LENGTHS)
def test_features(guest, length):
    nic = guest.nics[LENGTHS.index(length)]
    taken = {name for name, end in ENDS.items() if end <= length}
    assert set(features.negotiated(guest, nic)) == {*PLAIN.split(), *taken}
    virtio = guest.virtio_device(nic)
    said = [line for line in guest.first_messages if f" {virtio}: " in line and "too short" in line]
    assert len(said) == len(ENDS) - len(taken)
    assert all(any(f"VIRTIO_NET_F_{name}:" in line for line in said) for name in set(ENDS) - taken), said
    guest.bring_up(nic)
    exchange.pings(guest, nic, 1400 if "MTU" in taken else 1500)


def test_standby(guest):
    """Without an address there is no telling which other NIC it stands by for."""
    nic = guest.nics[-3]
    assert set(features.negotiated(guest, nic)) == set(PLAIN.split())
    virtio = guest.virtio_device(nic)
    assert any(f" {virtio}: the device has no MAC address: doing without VIRTIO_NET_F_STANDBY" in line for line in guest.first_messages)
    guest.bring_up(nic)
    exchange.pings(guest, nic)


def test_rings(guest):
    """Packets of many parts would not fit, each time that they are sent: so there are none."""
    nic = guest.nics[-2]
    name = guest.interface(nic)
    guest.bring_up(nic)
    shown = guest.run(["ethtool", "-k", name]).stdout
    for feature in ("scatter-gather", "tcp-segmentation-offload"):
        assert f"{feature}: off" in shown
    assert "tx-checksum-ip-generic: on" in shown
    said = f" {guest.virtio_device(nic)}: transmit rings of {RING} descriptors: packets are sent in one piece"
    assert any(said in line for line in guest.first_messages)
    exchange.tcp_from_guest(nic.guest4)
    assert counters.link(guest, name)["tx_dropped"] == 0


def test_command_longer_than_the_ring(guest):
    """It is not sent, which the virtio core would warn of with a trace, and that is said once. What is sent in one piece gets through."""
    nic = guest.nics[-1]
    said = [line for line in guest.first_messages if "commands that need more are not sent" in line]
    assert len(said) == 1
    assert f" {guest.virtio_device(nic)}: control ring of {TINY} descriptors: " in said[0]
    guest.bring_up(nic)
    guest.run(["ip", "link", "set", guest.interface(nic), "promisc", "on"])
    exchange.reaches(nic)
