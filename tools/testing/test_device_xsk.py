# SPDX-License-Identifier: GPL-2.0
"""A device that does something wrong while an AF_XDP socket without copies is bound: the socket gets the next packet."""

import pytest

from lab import xdp
from support import counters, exchange, faults, healing, ordered, sockets, xsk_requests
from support.bpf import programs  # noqa: F401
from support.inject import NEEDS_CSUM, TCPV4, TCPV6
from support.kernel_log import errors, no_errors  # noqa: F401

PLAIN = "MAC STATUS CTRL_VQ VERSION_1 GUEST_CSUM CTRL_GUEST_OFFLOADS RING_RESET"
# The first one leaves no checksum to the device.
DEVICES = {
    "small": PLAIN,
    "mergeable": PLAIN + " CSUM MRG_RXBUF GUEST_TSO4 INDIRECT_DESC EVENT_IDX",
    "packed": PLAIN + " CSUM RING_PACKED MRG_RXBUF EVENT_IDX",
}
NAMES = list(DEVICES)
TX = 1
HEADER = 12
TOO_LONG = 0x20000
# NETDEV_XSK_FLAGS_TX_CHECKSUM
TX_CHECKSUM = 2
# How many packets the longest ring has room for, which have a header each.
RING = 256
# The process with the socket lends chunks when it comes to that: they are in the ring after the first poll of the queue.
LENT = {"within": exchange.TIMEOUT}


@pytest.fixture(scope="module")
def guest(boot, driver, programs):
    nics = [ordered.made(names, way="vfio-user") for names in DEVICES.values()]
    with faults.serving(boot, driver, nics, files=[counters.NETDEV, programs, sockets.PROGRAM]) as guest:
        xdp.load(guest)
        for nic in nics:
            xdp.attach(guest, nic.name, "to_socket")
        yield guest


@pytest.fixture(params=NAMES)
def nic(guest, request):
    nic = guest.nics[NAMES.index(request.param)]
    with sockets.user(guest, nic.name):
        yield nic


@pytest.fixture(params=NAMES[1:])
def mergeable(guest, request):
    nic = guest.nics[NAMES.index(request.param)]
    with sockets.user(guest, nic.name):
        yield nic


@pytest.fixture(params=NAMES[1:])
def several(guest, request):
    nic = guest.nics[NAMES.index(request.param)]
    with xdp.attached(guest, nic.name, "to_socket_frags"), sockets.user(guest, nic.name, several=True):
        yield nic
    xdp.attach(guest, nic.name, "to_socket")


@pytest.fixture(params=NAMES)
def unbound(guest, request):
    return guest.nics[NAMES.index(request.param)]


@pytest.mark.parametrize("length", [0, HEADER - 1, HEADER + 13, TOO_LONG, 0xFFFFFFFF])
def test_length(guest, nic, length):
    faults.counted(guest, nic, {"length": length}, "rx_length_errors", **LENT)


@pytest.mark.parametrize("number", [0, 300, 65535], ids=["none", "more than the ring", "most"])
def test_number_of_buffers(guest, mergeable, number):
    counter = "rx_dropped" if number else "rx_frame_errors"
    faults.counted(guest, mergeable, {"num_buffers": number}, counter, **LENT)


def test_several_buffers(guest, mergeable):
    """A packet that a chunk does not hold is not for the socket."""
    before = faults.bad(guest, mergeable)
    assert ordered.receive(mergeable, ordered.frame(mergeable, 900), 0, most=300, **LENT) > 1
    ordered.echo(mergeable, 300)
    assert faults.bad(guest, mergeable)["rx_dropped"] == before["rx_dropped"] + 1


@pytest.mark.parametrize("most", [300, 100])
def test_several_buffers_for_the_socket(guest, several, most):
    """Both ways."""
    before = faults.bad(guest, several)
    for seed in range(1, 20):
        ordered.echo(several, 700, seed=seed, most=most, **LENT)
    assert faults.bad(guest, several) == before


def test_wrong_buffers_for_the_socket(guest, several):
    """More than a packet can have, and fewer than it says."""
    for number, counter in ((19, "rx_dropped"), (9, "rx_length_errors")):
        faults.counted(guest, several, {"num_buffers": number}, counter, **LENT)
        ordered.echo(several, 700, most=300)


HEADERS = {
    "gso": {"gso_type": TCPV4, "gso_size": 100, "hdr_len": 54, "flags": NEEDS_CSUM, "csum_start": 34, "csum_offset": 16},
    "checksum": {"flags": NEEDS_CSUM, "csum_start": 0xFFFF, "csum_offset": 0xFFFF},
    "gso of another type": {"gso_type": TCPV6, "gso_size": 100, "hdr_len": 54},
}


@pytest.mark.parametrize("kind", HEADERS)
def test_header(guest, nic, kind):
    negotiated = kind == "checksum" or kind == "gso" and "GUEST_TSO4" in DEVICES[NAMES[guest.nics.index(nic)]]
    faults.counted(guest, nic, faults.with_header(**HEADERS[kind]), "rx_dropped" if negotiated else "rx_frame_errors", **LENT)


def requesting(nic, frame):
    """A frame that the peer's socket turns back, and what becomes of it."""
    data = ordered.frame(nic, 14) + frame.body
    return data, ordered.answer(data)


def told(header):
    """What a header says of a checksum; all else is 0."""
    checksum = [header.pop(field) for field in ("flags", "csum_start", "csum_offset")]
    assert not any(header.values()), header
    return tuple(checksum)


def requested(nic, frames, **order):
    """Has frames turned back, several at a time, and compares what the device is told of them."""
    for start in range(0, len(frames), 8):
        batch = [(*requesting(nic, frame), frame.header) for frame in frames[start : start + 8]]
        for data, _, _ in batch:
            assert ordered.receive(nic, data, **LENT, **order) > 0, "no chunk is lent"
        sent = ordered.sent(nic, *[answer for _, answer, _ in batch])
        assert [told(header) for _, header in sent] == [wanted for _, _, wanted in batch]


@pytest.mark.parametrize("metadata", xsk_requests.METADATA)
def test_requests(guest, unbound, metadata):
    """Requests of sockets (XDP_TX_METADATA): of all, a device is told of checksums, if it completes them."""
    takes = "CSUM" in DEVICES[NAMES[guest.nics.index(unbound)]].split()
    number = counters.index(guest, unbound.name)
    (found,) = [found for found in counters.netdev(guest, "devices") if found["ifindex"] == number]
    assert found["xsk-features"] == (TX_CHECKSUM if takes else 0)
    with sockets.user(guest, unbound.name, metadata=metadata):
        requested(unbound, [*xsk_requests.frames(metadata, takes)])


@pytest.mark.parametrize("name", NAMES[1:])
def test_requests_of_several_chunks(guest, name):
    """Of what is in the first one, as when they are copied."""
    nic = guest.nics[NAMES.index(name)]
    start, first = xsk_requests.START, 288
    with xdp.attached(guest, nic.name, "to_socket_frags"), sockets.user(guest, nic.name, several=True, metadata=16):
        for end, inside in ((60, True), (first, True), (first + 1, False), (600, False)):
            offset = end - 2 - start
            header = xsk_requests.left(start, offset) if inside else xsk_requests.NOTHING
            frame = xsk_requests.frame(700, header, xsk_requests.CHECKSUM, start, offset)
            requested(nic, [frame], most=first + HEADER)
    xdp.attach(guest, nic.name, "to_socket")


def test_requests_under_way(guest):
    """Each has a header of its own until the device is done with it and all before it: while that keeps the first, no more are sent than
    there are headers. The others wait in the socket."""
    nic = guest.nics[NAMES.index("packed")]
    header = xsk_requests.left(xsk_requests.START, xsk_requests.OFFSET)
    frames = [xsk_requests.frame(300, header, xsk_requests.CHECKSUM, seed=seed) for seed in range(1, RING + 9)]
    before = counters.ethtool(guest, nic.name)
    with sockets.user(guest, nic.name, chunks=2 * RING, metadata=16) as counted:
        nic.order("faults", queue=TX, faults=["never"])
        requested(nic, frames[:RING])
        for frame in frames[RING:]:
            ordered.receive(nic, requesting(nic, frame)[0], **LENT)
        received = before["rx_xdp_redirects"] + RING + 8
        faults.wait(lambda: counters.ethtool(guest, nic.name)["rx_xdp_redirects"] == received, "the rest is not received")
    after = counters.ethtool(guest, nic.name)
    assert after["tx_xdp_tx"] - before["tx_xdp_tx"] == RING and after["tx_xdp_tx_drops"] == before["tx_xdp_tx_drops"]
    assert counted["completed"] == 0


def test_one_never(guest):
    """All that is sent after a packet that the device keeps counts as not sent, as the ring goes by position: it is not written to before
    the device has read it. C says so of the oldest."""
    nic = guest.nics[NAMES.index("packed")]
    with sockets.user(guest, nic.name) as counted:
        for seed in range(1, 6):
            ordered.echo(nic, 300, seed=seed, **LENT)
        nic.order("faults", queue=TX, faults=["never"])
        for seed in range(6, 56):
            ordered.echo(nic, 300, seed=seed, **LENT)
    assert counted["sent"] == 55 and counted["completed"] == 5
    with sockets.user(guest, nic.name):
        ordered.echo(nic, 300, **LENT)


def test_later(guest, unbound):
    """All are said to have been sent in the end, in the order of sending: chunks are received into again and again."""
    nic = unbound
    nic.order("faults", queue=TX, faults=["later", None, None] * 200)
    with sockets.user(guest, nic.name, chunks=8) as counted:
        for seed in range(1, 120, 3):
            data = [ordered.frame(nic, 300, seed + more) for more in range(3)]
            for one in data:
                assert ordered.receive(nic, one, **LENT) > 0, "no chunk is lent"
            ordered.sent(nic, *map(ordered.answer, data))
        nic.order("faults", queue=TX, faults=[])
    assert counted["sent"] == 120 and counted["completed"] >= 116, counted


def test_broken(guest, driver):
    """A queue that the core has given up: the device is reset, and the socket goes on. With C it cannot be closed as it should."""
    nic = guest.nics[NAMES.index("mergeable")]
    with sockets.spawn(guest, nic.name) as process:
        process.says("bound")
        nic.order("faults", queue=0, faults=[{"id": 0xFFFF}])
        ordered.receive(nic, ordered.frame(nic, 200), **LENT)
        faults.said(guest, healing.reset_because(nic, "receive queue 0 is broken"))
        exchange.reaches(nic)
        sockets.ends(guest, process)
    # It may not have sent meanwhile.
    errors(guest)
    guest.kernel_messages()
    exchange.everything(guest, nic)
    xdp.attach(guest, nic.name, "to_socket")
    with sockets.user(guest, nic.name):
        ordered.echo(nic, 300, **LENT)
