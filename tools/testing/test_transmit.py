# SPDX-License-Identifier: GPL-2.0
"""Packets faster than the device takes them, one by one and in bursts: all are sent, and no queue stays stopped."""

import pytest

from support import exchange, pktgen
from support.kernel_log import no_errors  # noqa: F401
from support.kernels import whole_only
from support.nics import LEGACY, PACKED

# QEMU makes no ring shorter than 256. One that is looked at now and then only (every 10 ms), or in which each packet
# takes several places, is full all the time.
LAZY = {"tx": "timer", "x-txtimer": "10000000"}
APART = LEGACY | {"any_layout": "off", "indirect_desc": "off"}
DEVICES = {
    "plain": ({}, 200_000),
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
    "clones": {"pkt_size": 60, "clone_skb": 1000},
    "clones in bursts": {"pkt_size": 60, "burst": 8, "clone_skb": 1000},
    "clones in long bursts": {"pkt_size": 60, "burst": 32, "clone_skb": 1000},
    "large clones": {"pkt_size": 1500, "clone_skb": 64},
    "large bursts": {"pkt_size": 1500, "burst": 64},
    "fragments": {"pkt_size": 1500, "burst": 4, "frags": 8},
    "many fragments": {"pkt_size": 1500, "frags": 17},
    "many fragments of clones": {"pkt_size": 1500, "burst": 4, "frags": 17, "clone_skb": 100},
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


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("device", DEVICES)
def test_all_that_is_sent_arrives(guest, device, pattern):
    nic = guest.nics[NAMES.index(device)]
    count = DEVICES[device][1]
    pktgen.all_arrive(guest, nic, guest.interface(nic), count, **PATTERNS[pattern])


@pytest.mark.parametrize("device", DEVICES)
def test_afterwards(guest, device):
    exchange.udp_echo(guest.nics[NAMES.index(device)].guest4)
    exchange.tcp_from_guest(guest.nics[NAMES.index(device)].guest4)


# What a queue has to bear for good.
LONG_COUNT = 10_000_000
LONG_RUNS = ["one by one", "clones", "bursts", "clones in bursts", "clones in long bursts"] * 2


@whole_only("takes half an hour")
@pytest.mark.parametrize("run", range(len(LONG_RUNS)), ids=[f"{i}, {name}" for i, name in enumerate(LONG_RUNS)])
def test_pktgen_long(guest, run):
    nic = guest.nics[NAMES.index("plain")]
    pktgen.all_arrive(guest, nic, guest.interface(nic), LONG_COUNT, timeout=3600, **PATTERNS[LONG_RUNS[run]])
