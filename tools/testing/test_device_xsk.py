# SPDX-License-Identifier: GPL-2.0
"""A device that does something wrong while an AF_XDP socket without copies is bound: the socket gets the next packet."""

import pytest

from lab import xdp
from support import counters, exchange, faults, healing, ordered, sockets
from support.bpf import programs  # noqa: F401
from support.inject import NEEDS_CSUM, TCPV4, TCPV6
from support.kernel_log import errors, no_errors  # noqa: F401

PLAIN = "MAC STATUS CTRL_VQ VERSION_1 GUEST_CSUM CTRL_GUEST_OFFLOADS RING_RESET"
DEVICES = {
    "small": PLAIN,
    "mergeable": PLAIN + " MRG_RXBUF GUEST_TSO4 INDIRECT_DESC EVENT_IDX",
    "packed": PLAIN + " RING_PACKED MRG_RXBUF EVENT_IDX",
}
NAMES = list(DEVICES)
TX = 1
HEADER = 12
TOO_LONG = 0x20000


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
    faults.counted(guest, nic, {"length": length}, "rx_length_errors")


@pytest.mark.parametrize("number", [0, 300, 65535], ids=["none", "more than the ring", "most"])
def test_number_of_buffers(guest, mergeable, number):
    counter = "rx_dropped" if number else "rx_frame_errors"
    faults.counted(guest, mergeable, {"num_buffers": number}, counter)


def test_several_buffers(guest, mergeable):
    """A packet that a chunk does not hold is not for the socket."""
    before = faults.bad(guest, mergeable)
    assert ordered.receive(mergeable, ordered.frame(mergeable, 900), 0, most=300) > 1
    ordered.echo(mergeable, 300)
    assert faults.bad(guest, mergeable)["rx_dropped"] == before["rx_dropped"] + 1


@pytest.mark.parametrize("most", [300, 100])
def test_several_buffers_for_the_socket(guest, several, most):
    """Both ways."""
    before = faults.bad(guest, several)
    for seed in range(1, 20):
        ordered.echo(several, 700, seed=seed, most=most)
    assert faults.bad(guest, several) == before


def test_wrong_buffers_for_the_socket(guest, several):
    """More than a packet can have, and fewer than it says."""
    for number, counter in ((19, "rx_dropped"), (9, "rx_length_errors")):
        faults.counted(guest, several, {"num_buffers": number}, counter)
        ordered.echo(several, 700, most=300)


HEADERS = {
    "gso": {"gso_type": TCPV4, "gso_size": 100, "hdr_len": 54, "flags": NEEDS_CSUM, "csum_start": 34, "csum_offset": 16},
    "checksum": {"flags": NEEDS_CSUM, "csum_start": 0xFFFF, "csum_offset": 0xFFFF},
    "gso of another type": {"gso_type": TCPV6, "gso_size": 100, "hdr_len": 54},
}


@pytest.mark.parametrize("kind", HEADERS)
def test_header(guest, nic, kind):
    negotiated = kind == "checksum" or kind == "gso" and "GUEST_TSO4" in DEVICES[NAMES[guest.nics.index(nic)]]
    faults.counted(guest, nic, faults.with_header(**HEADERS[kind]), "rx_dropped" if negotiated else "rx_frame_errors")


def test_one_never(guest):
    """All that is sent after a packet that the device keeps counts as not sent, as the ring goes by position: it is not written to before
    the device has read it. C says so of the oldest."""
    nic = guest.nics[NAMES.index("packed")]
    with sockets.user(guest, nic.name) as counted:
        for seed in range(1, 6):
            ordered.echo(nic, 300, seed=seed)
        nic.order("faults", queue=TX, faults=["never"])
        for seed in range(6, 56):
            ordered.echo(nic, 300, seed=seed)
    assert counted["sent"] == 55 and counted["completed"] == 5
    with sockets.user(guest, nic.name):
        ordered.echo(nic, 300)


def test_later(guest, unbound):
    """All are said to have been sent in the end, in the order of sending: chunks are received into again and again."""
    nic = unbound
    nic.order("faults", queue=TX, faults=["later", None, None] * 200)
    with sockets.user(guest, nic.name, chunks=8) as counted:
        for seed in range(1, 120, 3):
            data = [ordered.frame(nic, 300, seed + more) for more in range(3)]
            for one in data:
                # The process may not have filled the ring again yet.
                faults.wait(lambda one=one: ordered.receive(nic, one) > 0, "no chunk is lent")
            ordered.sent(nic, *map(ordered.answer, data))
        nic.order("faults", queue=TX, faults=[])
    assert counted["sent"] == 120 and counted["completed"] >= 116, counted


def test_broken(guest, driver):
    """A queue that the core has given up: the device is reset, and the socket goes on. With C it cannot be closed as it should."""
    nic = guest.nics[NAMES.index("mergeable")]
    with sockets.spawn(guest, nic.name) as process:
        process.says("bound")
        nic.order("faults", queue=0, faults=[{"id": 0xFFFF}])
        ordered.receive(nic, ordered.frame(nic, 200))
        faults.said(guest, healing.reset_because(nic, "receive queue 0 is broken"))
        exchange.reaches(nic)
        process.stop()
    # It may not have sent meanwhile.
    errors(guest)
    guest.kernel_messages()
    exchange.everything(guest, nic)
    xdp.attach(guest, nic.name, "to_socket")
    with sockets.user(guest, nic.name):
        ordered.echo(nic, 300)
