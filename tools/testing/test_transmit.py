# SPDX-License-Identifier: GPL-2.0
"""Packets faster than the device takes them, one by one and in bursts: all are sent, and no queue stays stopped."""

import json
import socket
from pathlib import Path

import pytest

from lab import kernel
from lab.agent import PYTHON
from support import exchange, peer, pktgen, xsk_frames
from support.kernel_log import no_errors  # noqa: F401
from support.kernels import whole_only
from support.nics import LEGACY, PACKED

# QEMU makes no ring shorter than 256. One that is looked at now and then only (every 10 ms), or in which each packet
# takes several places, is full all the time.
LAZY = {"tx": "timer", "x-txtimer": "10000000"}
APART = LEGACY | {"any_layout": "off", "indirect_desc": "off"}
DEVICES = {
    "plain": ({}, kernel.rounds(200_000)),
    "packed": (PACKED, kernel.rounds(100_000)),
    "header apart": (APART, kernel.rounds(50_000)),
    "lazy": (LAZY, 5_000),
    "lazy, packed, no indirect": (LAZY | PACKED | {"indirect_desc": "off"}, 5_000),
    "lazy, header apart": (LAZY | APART, 5_000),
}
NAMES = list(DEVICES)
XSK = Path(xsk_frames.__file__)
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
    with boot(nics=[properties for properties, _ in DEVICES.values()], files=[exchange.PEER, XSK]) as guest:
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


# Around the header of Ethernet, and up to the largest frame.
LENGTHS = (15, 60, 1000, 1514)


@pytest.mark.parametrize("device", ["plain", "packed", "header apart"])
def test_frames_without_a_linear_part(guest, device):
    """What AF_XDP has in memory of the sender is sent from there. So nobody computes checksums in it: that is refused, as
    with C."""
    nic = guest.nics[NAMES.index(device)]
    # No address of the link, and an EtherType that nobody takes.
    head = bytes.fromhex("02000000ffff" + "02000000fffe" + "88f5")
    frames = [head + peer.content(length, length - len(head)) for length in LENGTHS]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88F5)) as link:
        link.bind((nic.tap, 0x88F5))
        link.settimeout(exchange.TIMEOUT)
        words = [guest.interface(nic), *(frame.hex() for frame in frames)]
        done = guest.run([*PYTHON, f"/payload/{XSK.name}", *words])
        assert json.loads(done.stdout) is False
        assert [link.recv(peer.PIECE) for _ in frames] == frames


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
