# SPDX-License-Identifier: GPL-2.0
"""A device that says something wrong of a packet that an XDP program is to see: it does not, and sees the next one."""

import pytest

from lab import xdp
from support import counters, exchange, faults, ordered, peer
from support.bpf import programs  # noqa: F401
from support.inject import NEEDS_CSUM, TCPV4, TCPV6
from support.kernel_log import errors, no_errors  # noqa: F401

PLAIN = "MAC STATUS CTRL_VQ VERSION_1 GUEST_CSUM CTRL_GUEST_OFFLOADS"
# And the program: one takes packets of several buffers as they are, for the other they are put together.
DEVICES = {
    "small": (PLAIN, "pass"),
    "chained": (PLAIN + " GUEST_TSO4 INDIRECT_DESC", "pass"),
    "mergeable, one piece": (PLAIN + " MRG_RXBUF GUEST_TSO4", "pass"),
    "mergeable, fragments": (PLAIN + " MRG_RXBUF EVENT_IDX", "pass_frags"),
    "packed, fragments": (PLAIN + " RING_PACKED MRG_RXBUF EVENT_IDX", "pass_frags"),
}
NAMES = list(DEVICES)
MERGEABLE = [name for name in NAMES if DEVICES[name][0].count("MRG_RXBUF")]
HEADER = 12
# The MTU that a further device gives, and the length of a frame of that size.
MTU, FRAME = 1500, 1514
# How many bytes the program `grow` adds.
GROWS = 100
# In descriptors, the rings of one to which frames are sent on: fewer than the longest of them has parts.
RING = 16
# More than any buffer of the driver's has.
TOO_LONG = 0x20000
# Of a buffer for a program, of a page.
CAPACITY = 3520


@pytest.fixture(scope="module")
def guest(boot, driver, programs):
    nics = [ordered.made(names) for names, _ in DEVICES.values()]
    short = ordered.made(PLAIN, way="vfio-user")
    short.settings["queue_size"] = RING
    nics += [ordered.made(PLAIN + " MTU", mtu=MTU), short]
    with faults.serving(boot, driver, nics, files=[counters.NETDEV, programs]) as guest:
        xdp.load(guest)
        for nic, program in zip(nics, [program for _, program in DEVICES.values()] + ["grow", "pass"], strict=True):
            xdp.attach(guest, nic.name, program)
        yield guest


@pytest.fixture(params=NAMES)
def nic(guest, request):
    return guest.nics[NAMES.index(request.param)]


@pytest.fixture(params=MERGEABLE)
def mergeable(guest, request):
    return guest.nics[NAMES.index(request.param)]


def made(guest, nic):
    """What of DEVICES a NIC is."""
    return DEVICES[NAMES[guest.nics.index(nic)]]


@pytest.mark.parametrize("length", [0, HEADER - 1, HEADER + 13, TOO_LONG, 0xFFFFFFFF])
def test_length(guest, nic, length):
    faults.counted(guest, nic, {"length": length}, "rx_length_errors")


@pytest.mark.parametrize("length", [TOO_LONG, 0xFFFFFFFF])
def test_length_of_a_further_buffer(guest, mergeable, length):
    faults.counted(guest, mergeable, {"length": length}, "rx_length_errors", length=1000, most=300)


@pytest.mark.parametrize("buffers", [1, 3])
@pytest.mark.parametrize("number", [0, 1, 300, 65535], ids=["none", "one too many", "more than the ring", "most"])
def test_number_of_buffers(guest, mergeable, number, buffers):
    if number == 0 and buffers > 1:
        pytest.skip("its other buffers are packets of their own then")
    fault = {"more_buffers": 1} if number == 1 else {"num_buffers": number}
    counter = "rx_length_errors" if number else "rx_frame_errors"
    faults.counted(guest, mergeable, fault, counter, length=600, most=600 // buffers + 20)


@pytest.mark.parametrize("count", [2, 18, 19, 80])
def test_many_buffers(guest, mergeable, count):
    """There are 18 parts at most to a packet of a program. One that is put together has as many as fit."""
    fragments = made(guest, mergeable)[1] == "pass_frags"
    before = faults.bad(guest, mergeable)
    data = ordered.frame(mergeable, 50 * count - HEADER)
    assert ordered.receive(mergeable, data, 0, most=50) == count
    ordered.echo(mergeable, 300)
    dropped = faults.bad(guest, mergeable)["rx_dropped"] - before["rx_dropped"]
    assert dropped == int(count > 18 if fragments else 50 * count - HEADER > CAPACITY)


# What the device was told not to do, and what it never could.
HEADERS = {
    "gso": ({"gso_type": TCPV4, "gso_size": 100, "hdr_len": 54, "flags": NEEDS_CSUM, "csum_start": 34, "csum_offset": 16}, None),
    "checksum": ({"flags": NEEDS_CSUM, "csum_start": 34, "csum_offset": 16}, "rx_dropped"),
    "checksum beyond": ({"flags": NEEDS_CSUM, "csum_start": 0xFFFF, "csum_offset": 0xFFFF}, "rx_dropped"),
    "gso of another type": ({"gso_type": TCPV6, "gso_size": 100, "hdr_len": 54}, "rx_frame_errors"),
}


@pytest.mark.parametrize("kind", HEADERS)
def test_header(guest, nic, kind):
    header, counter = HEADERS[kind]
    if counter is None:
        negotiated = "GUEST_TSO4" in made(guest, nic)[0]
        counter = "rx_dropped" if negotiated else "rx_frame_errors"
    faults.counted(guest, nic, faults.with_header(**header), counter)


@pytest.mark.parametrize("tags", [0, 1, 2])
def test_longer_than_the_mtu(guest, tags):
    """What a program has made longer than the device takes is dropped and counted. Tags do not count."""
    nic = guest.nics[len(NAMES)]
    head = exchange.mac_bytes(nic.mac) + ordered.SOURCE + bytes.fromhex("88a80001" if tags > 1 else "")
    head += bytes.fromhex("81000002" if tags else "") + peer.ETHERTYPE.to_bytes(2, "big")
    dropped = counters.ethtool(guest, nic.name)["tx0_xdp_tx_drops"]
    longest = FRAME + 4 * tags
    for length in (longest + 1, longest):
        frame = head + peer.content(length, length - GROWS - len(head))
        assert ordered.receive(nic, frame) > 0
    ordered.sent(nic, ordered.answer(frame) + bytes(GROWS))
    assert nic.order("violations") == []
    assert counters.ethtool(guest, nic.name)["tx0_xdp_tx_drops"] == dropped + 1


def test_more_parts_than_the_ring(guest):
    """A frame that has more than the ring has descriptors is dropped and counted, and the one behind it is sent."""
    nic, short = guest.nics[NAMES.index("mergeable, fragments")], guest.nics[-1]
    xdp.send_to(guest, short.name, "devices_frags")
    xdp.attach(guest, nic.name, "elsewhere_frags")
    dropped = counters.ethtool(guest, short.name)["tx0_xdp_tx_drops"]
    # The stack may have sent something, too.
    for parts in (RING + 1, RING // 2):
        data = ordered.frame(nic, 50 * parts - HEADER)
        assert ordered.receive(nic, data, most=50) == parts
    ordered.sent(short, ordered.answer(data))
    assert counters.ethtool(guest, short.name)["tx0_xdp_tx_drops"] == dropped + 1
    xdp.attach(guest, nic.name, "pass_frags")


def test_traffic(guest, nic):
    """After all of that."""
    exchange.everything(guest, nic)
