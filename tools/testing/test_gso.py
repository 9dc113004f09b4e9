# SPDX-License-Identifier: GPL-2.0
"""What a device says about a GSO packet: taken over where it can be true, else dropped and counted."""

import hashlib
import itertools
import json
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab import driver as drivers
from lab import traffic
from lab.agent import PYTHON
from support import capture, exchange, inject, packets, peer
from support.inject import DATA_VALID, ECN, NEEDS_CSUM, TCPV4, TCPV6, TUNNEL4, TUNNEL6, UDP_TUNNEL_CSUM, UFO, USO
from support.kernel_log import no_errors  # noqa: F401
from support.nics import BIG, LEGACY, MERGEABLE, NO_TUNNEL, PACKED, SMALL
from support.packets import TCP, UDP

DEVICES = {
    "mergeable": MERGEABLE,
    "big": BIG,
    "mergeable, packed, no tunnels": PACKED | NO_TUNNEL,
    "big, legacy": LEGACY | BIG,
    "small": SMALL,
}
NAMES = list(DEVICES)
CAPTURE = Path(capture.__file__)
MTU = 1500
# Where the headers start.
IP, L4, L4_IN_6 = 14, 34, 54


def checksum(protocol, six=False, **others):
    """The fields of a checksum that the device leaves to whoever gets the packet."""
    return {"flags": NEEDS_CSUM, "start": L4_IN_6 if six else L4, "offset": packets.CHECKSUM_AT[protocol]} | others


# Of each packet: protocol, bytes of payload, whether IPv6, header; and what is different once the driver has it.
TAKEN = {
    **{
        f"{name}, {size}": (protocol, size, six, checksum(protocol, six, gso_type=kind, gso_size=1400), {})
        for name, protocol, six, kind in (
            ("tcp4", TCP, False, TCPV4),
            ("tcp4 with ecn", TCP, False, TCPV4 | ECN),
            ("tcp6", TCP, True, TCPV6),
            ("tcp6 with ecn", TCP, True, TCPV6 | ECN),
            ("uso4", UDP, False, USO),
            ("uso6", UDP, True, USO),
        )
        for size in (1401, 3000, 20_000, 65_000)
    },
    "tcp4 with a complete checksum": (TCP, 3000, False, {"gso_type": TCPV4, "gso_size": 1400}, {}),
    "tcp4 with a checked checksum": (
        TCP,
        3000,
        False,
        {"flags": DATA_VALID, "gso_type": TCPV4, "gso_size": 1400},
        {},
    ),
    "no more than one segment": (
        TCP,
        1400,
        False,
        checksum(TCP, gso_type=TCPV4, gso_size=1400),
        {"gso_type": 0, "gso_size": 0},
    ),
    "tiny segments": (TCP, 3000, False, checksum(TCP, gso_type=TCPV4, gso_size=1), {"gso_size": 8}),
    "headers of no bytes": (TCP, 3000, False, checksum(TCP, gso_type=TCPV4, gso_size=1400, hdr_len=0), {}),
    "headers of all bytes": (TCP, 3000, False, checksum(TCP, gso_type=TCPV4, gso_size=1400, hdr_len=65535), {}),
    "no GSO": (UDP, 1000, False, checksum(UDP), {}),
    "no GSO, checked": (UDP, 1000, False, {"flags": DATA_VALID}, {}),
    "no GSO, size without a type": (UDP, 1000, False, checksum(UDP, gso_size=10), {"gso_size": 0}),
    "unknown flags": (UDP, 1000, False, checksum(UDP, flags=NEEDS_CSUM | 0xF4), {"flags": NEEDS_CSUM}),
}
DROPPED = {
    "segments of no bytes": (TCP, 3000, False, checksum(TCP, gso_type=TCPV4)),
    "segments by fragments": (TCP, 3000, False, checksum(TCP, gso_type=TCPV4, gso_size=0xFFFF)),
    **{
        f"type {kind:#x}": (TCP, 3000, False, checksum(TCP, gso_type=kind, gso_size=1400))
        for kind in (2, 6, 7, 8, 0x10, 0x1F, ECN, ECN | 2, 0x7F, 0xFF)
    },
    "uso with ecn": (UDP, 3000, False, checksum(UDP, gso_type=USO | ECN, gso_size=1400)),
    "uso without a checksum": (UDP, 3000, False, {"gso_type": USO, "gso_size": 1400}),
    "uso with the checksum of tcp": (UDP, 3000, False, checksum(TCP, gso_type=USO, gso_size=1400)),
    "uso of too many segments": (UDP, 3000, False, checksum(UDP, gso_type=USO, gso_size=10)),
    "tcp4 with the checksum of udp": (TCP, 3000, False, checksum(UDP, gso_type=TCPV4, gso_size=1400)),
    "tcp4 that is udp": (UDP, 3000, False, {"gso_type": TCPV4, "gso_size": 1400}),
    "tcp4 that is ipv6": (TCP, 3000, True, {"gso_type": TCPV4, "gso_size": 1400}),
    "tcp6 that is ipv4": (TCP, 3000, False, {"gso_type": TCPV6, "gso_size": 1400}),
    "tcp6 that is ipv4, start of tcp4": (TCP, 3000, False, checksum(TCP, gso_type=TCPV6, gso_size=1400)),
    "ufo that is tcp": (TCP, 3000, False, {"gso_type": UFO, "gso_size": 1400}),
    **{
        f"checksum from {start} on": (TCP, 3000, False, checksum(TCP, gso_type=TCPV4, gso_size=1400, start=start))
        for start in (0, IP, L4 + 20 + 3000 - 1, 4000, 0xFFFF)
    },
    "checksum of a short packet": (UDP, 100, False, checksum(UDP, start=0xFFFF, offset=0xFFFF)),
    "checksum at its end": (UDP, 100, False, checksum(UDP, offset=8 + 100 - 1)),
    "tunnels of two kinds": (UDP, 3000, False, checksum(TCP, gso_type=TUNNEL4 | TUNNEL6 | TCPV4, gso_size=1400)),
    "tunnel of packets without GSO": (UDP, 3000, False, checksum(TCP, gso_type=TUNNEL4, gso_size=1400)),
    "tunnel without a checksum": (UDP, 3000, False, {"gso_type": TUNNEL4 | TCPV4, "gso_size": 1400}),
    "tunnel, checked": (
        UDP,
        3000,
        False,
        checksum(TCP, flags=NEEDS_CSUM | DATA_VALID, gso_type=TUNNEL4 | TCPV4, gso_size=1400),
    ),
    "tunnel of ufo": (UDP, 3000, False, checksum(UDP, gso_type=TUNNEL4 | UFO, gso_size=1400)),
    "tunnel without places": (UDP, 3000, False, checksum(TCP, start=84, gso_type=TUNNEL6 | TCPV4, gso_size=1400)),
}
# A different one for each packet, or the stack would join them.
ports = itertools.cycle(range(20000, 30000))


@pytest.fixture(scope="module")
def guest(boot, driver):
    with boot(nics=DEVICES.values(), files=[exchange.PEER, CAPTURE]) as guest, ExitStack() as stack:
        driver.load(guest)
        guest.names = [guest.bring_up(nic) for nic in guest.nics]
        for nic, address in ((nic, address) for nic in guest.nics for address in (nic.guest4, nic.guest6)):
            exchange.ping(traffic.host_run, address)
        guest.injectors = [stack.enter_context(inject.Injector(guest, nic)) for nic in guest.nics]
        stack.enter_context(exchange.peer_in(guest))
        command = [*PYTHON, f"/payload/{CAPTURE.name}", inject.MARK]
        guest.capture = stack.enter_context(guest.spawn(command))
        guest.capture.says("interface")
        yield guest


def frame(nic, protocol, size, six, partial, between=None, source=inject.MARK):
    """By default from a port of its own to one that nobody has open."""
    data = peer.content(size, size)
    transport = (packets.tcp if protocol == TCP else packets.udp)(*(between or (next(ports), 9)), data)
    ends = (nic.host6, nic.guest6) if six else (nic.host4, nic.guest4)
    kind = b"\x86\xdd" if six else b"\x08\x00"
    packet = packets.ip_packet(*ends, protocol, transport, partial=partial)
    return exchange.mac_bytes(nic.mac) + exchange.mac_bytes(source) + kind + packet


class Seen:
    """What has been captured, and the errors that were counted, on all NICs."""

    def __init__(self, guest):
        names = " ".join(f"/sys/class/net/{name}/statistics/rx_frame_errors" for name in guest.names)
        numbers, lines = guest.run(f"cat {names}; echo; cat {guest.capture.paths[0]}").stdout.split("\n\n")
        self.errors = [int(number) for number in numbers.split()]
        # The last one may be in the writing.
        self.frames = [json.loads(line) for line in lines[: lines.rindex("\n")].splitlines()]


def send(guest, numbers, packet, done):
    """Sends to some NICs and waits until done(frames, errors) of what is new; returns both and what was sent."""
    protocol, size, six, header = packet[:4]
    before, sent = Seen(guest), {}
    for number in numbers:
        data = frame(guest.nics[number], protocol, size, six, bool(header.get("flags", 0) & NEEDS_CSUM))
        guest.injectors[number].send(inject.header(**header), data)
        sent[guest.names[number]] = data
    limit = time.monotonic() + exchange.TIMEOUT
    while True:
        after = Seen(guest)
        frames = after.frames[len(before.frames) :]
        errors = [now - then for now, then in zip(after.errors, before.errors)]
        if done(frames, errors) or time.monotonic() > limit:
            return sent, frames, errors
        time.sleep(0.05)


def asked_for(device, kind):
    """Whether a device of that name has been asked for such packets."""
    return not kind or device != "small" and (kind != USO or "legacy" not in device)


@pytest.mark.parametrize("name", TAKEN)
def test_taken(guest, name):
    protocol, size, six, header, different = TAKEN[name]
    numbers = [n for n, device in enumerate(NAMES) if asked_for(device, header.get("gso_type", 0) & ~ECN)]
    sent, frames, errors = send(guest, numbers, TAKEN[name], lambda frames, _: len(frames) == len(numbers))
    assert not any(errors), errors
    wanted = {"flags": 0, "gso_type": 0, "gso_size": 0, "start": 0, "offset": 0} | header | different
    wanted.pop("hdr_len", None)
    for found in frames:
        data = sent.pop(found["interface"])
        assert {field: found[field] for field in wanted} == wanted, found["interface"]
        assert (found["length"], found["hash"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert not sent, f"did not arrive: {list(sent)}"


def dropped(guest, numbers, packet):
    _, frames, errors = send(guest, numbers, packet, lambda _, errors: sum(errors) == len(numbers))
    assert errors == [int(n in numbers) for n in range(len(guest.nics))]
    assert not frames


@pytest.mark.parametrize("name", DROPPED)
def test_dropped(guest, name):
    # A small device has no buffers for what is longer.
    size = DROPPED[name][1]
    dropped(guest, [n for n, device in enumerate(NAMES) if device != "small" or size < MTU], DROPPED[name])


NOT_ASKED_FOR = [
    ("small", TCP, checksum(TCP, gso_type=TCPV4, gso_size=400)),
    ("small", UDP, checksum(UDP, gso_type=USO, gso_size=400)),
    ("big, legacy", UDP, checksum(UDP, gso_type=USO, gso_size=400)),
    ("mergeable, packed, no tunnels", UDP, {"flags": DATA_VALID | UDP_TUNNEL_CSUM}),
]


@pytest.mark.parametrize("name, protocol, header", NOT_ASKED_FOR)
def test_not_asked_for(guest, driver, name, protocol, header):
    if driver is drivers.C and header.get("gso_type"):
        pytest.skip("the C driver takes types that it has not asked for")
    dropped(guest, [NAMES.index(name)], (protocol, 1000, False, header))


# The kernel cannot say of such a packet what the device said: the datagram itself has to arrive.
@pytest.mark.parametrize("six", [False, True], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("size", [1473, 3000, 20_000, 65_000])
def test_datagrams_left_unfragmented(guest, size, six):
    header = inject.header(**checksum(UDP, six, gso_type=UFO, gso_size=1480))
    for nic, injector in list(zip(guest.nics, guest.injectors))[: NAMES.index("small")]:
        with socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM) as link:
            link.bind((nic.host6 if six else nic.host4, 0))
            link.settimeout(exchange.TIMEOUT)
            source = exchange.tap_mac(nic)
            injector.send(header, frame(nic, UDP, size, six, True, (link.getsockname()[1], peer.PORT), source))
            assert link.recv(peer.PIECE) == peer.content(size, size)


def test_afterwards(guest):
    for nic in guest.nics:
        exchange.everything(guest, nic)
