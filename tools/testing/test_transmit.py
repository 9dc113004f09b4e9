# SPDX-License-Identifier: GPL-2.0
"""Packets faster than the device takes them, one by one and in bursts: all are sent, and no queue stays stopped."""

import json
import time

import pytest

from lab import host
from support import exchange, pktgen
from support.kernel_log import no_errors  # noqa: F401
from support.nics import LEGACY, PACKED

# QEMU makes no ring shorter than 256. One that is looked at now and then only (every 10 ms), or in which each packet
# takes several places, is full all the time.
LAZY = {"tx": "timer", "x-txtimer": "10000000"}
APART = LEGACY | {"any_layout": "off", "indirect_desc": "off"}
DEVICES = {
    "plain": ({}, 300_000),
    "packed": (PACKED, 100_000),
    "header apart": (APART, 50_000),
    "lazy": (LAZY, 5_000),
    "lazy, packed, no indirect": (LAZY | PACKED | {"indirect_desc": "off"}, 5_000),
    "lazy, header apart": (LAZY | APART, 5_000),
}
NAMES = list(DEVICES)
PATTERNS = {
    "one by one": {"pkt_size": 60},
    "bursts": {"pkt_size": 60, "burst": 32},
    "clones in bursts": {"pkt_size": 60, "burst": 8, "clone_skb": 1000},
    "large clones": {"pkt_size": 1500, "clone_skb": 64},
    "large bursts": {"pkt_size": 1500, "burst": 64},
    "fragments": {"pkt_size": 1500, "burst": 4, "frags": 8},
}


@pytest.fixture(scope="module")
def guest(boot, driver):
    with boot(nics=[properties for properties, _ in DEVICES.values()], files=[exchange.PEER]) as guest:
        driver.load(guest)
        guest.run(["modprobe", "pktgen"])
        for nic in guest.nics:
            guest.bring_up(nic)
        with exchange.peer_in(guest):
            yield guest


def tap(nic):
    """Packets that came from the guest, and those of them that the host had to drop."""
    stats = json.loads(host.run("ip", "-s", "-json", "link", "show", nic.tap).stdout)[0]["stats64"]["rx"]
    return stats["packets"] + stats["dropped"]


def statistics(guest, name):
    files = guest.run(f"cd /sys/class/net/{name}/statistics && grep . tx_*").stdout
    return {file: int(value) for file, value in (line.split(":") for line in files.splitlines())}


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("device", DEVICES)
def test_all_that_is_sent_arrives(guest, device, pattern):
    nic = guest.nics[NAMES.index(device)]
    count = DEVICES[device][1]
    name = guest.interface(nic)
    before, tap_before = statistics(guest, name), tap(nic)
    sent, errors = pktgen.send(guest, nic, name, count=count, **PATTERNS[pattern])
    assert errors == 0 and sent >= count
    limit = time.monotonic() + exchange.TIMEOUT
    while statistics(guest, name)["tx_packets"] - before["tx_packets"] < sent and time.monotonic() < limit:
        time.sleep(0.1)
    # The stacks at both ends may send a few packets of their own meanwhile.
    after, arrived = statistics(guest, name), tap(nic) - tap_before
    counted = after["tx_packets"] - before["tx_packets"]
    assert sent <= counted <= sent + 20
    assert abs(arrived - counted) <= 2
    assert {counter for counter in after if after[counter] != before[counter]} == {"tx_packets", "tx_bytes"}
    exchange.ping(guest.run, nic.host4)
    exchange.ping(guest.run, nic.host6)


@pytest.mark.parametrize("device", DEVICES)
def test_afterwards(guest, device):
    exchange.udp_echo(guest.nics[NAMES.index(device)].guest4)
    exchange.tcp_from_guest(guest.nics[NAMES.index(device)].guest4)
