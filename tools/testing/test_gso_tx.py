# SPDX-License-Identifier: GPL-2.0
"""GSO packets that leave the guest, from all who may send such: they and what is said about them arrive, or their
segments where the device takes no GSO packets."""

import hashlib
import itertools
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab import features
from lab.agent import PYTHON
from support import capture, exchange, inject, packets, peer
from support.inject import ECN, NEEDS_CSUM, TCPV4, TCPV6, USO
from support.kernel_log import no_errors  # noqa: F401
from support.nics import LEGACY, NO_CSUM, PACKED
from support.packets import TCP, UDP
from support.watch import Watch

CAPTURE = Path(capture.__file__)
FILES = [exchange.PEER, Path(packets.__file__), CAPTURE.with_name("sender.py")]
DEVICES = {
    "split": {},
    "packed": PACKED,
    "no indirect": {"indirect_desc": "off"},
    "legacy, header apart": LEGACY | {"any_layout": "off"},
    "no uso": {"host_uso": "off"},
    "no offloads": NO_CSUM,
}
NAMES = list(DEVICES)
L4, L4_IN_6 = 34, 54
SEGMENT = 1400
SOL_UDP, UDP_SEGMENT = 17, 103
KINDS = {
    "tcp4": (TCP, False, TCPV4, "HOST_TSO4"),
    "tcp4 with ecn": (TCP, False, TCPV4 | ECN, "HOST_ECN"),
    "tcp6": (TCP, True, TCPV6, "HOST_TSO6"),
    "tcp6 with ecn": (TCP, True, TCPV6 | ECN, "HOST_ECN"),
    "uso4": (UDP, False, USO, "HOST_USO"),
    "uso6": (UDP, True, USO, "HOST_USO"),
}
LENGTHS = (1401, 3000, 20_000, 65_000)
# A different one for each packet, or the stack would join them.
ports = itertools.cycle(range(20000, 30000))


@pytest.fixture(scope="module")
def guest(boot, driver):
    with boot(nics=DEVICES.values(), files=FILES) as guest:
        driver.load(guest)
        guest.names = [guest.bring_up(nic) for nic in guest.nics]
        guest.features = [set(features.negotiated(guest, nic)) for nic in guest.nics]
        for nic in guest.nics:
            exchange.ping(guest.run, nic.host4)
            exchange.ping(guest.run, nic.host6)
        with exchange.peer_in(guest):
            yield guest


def lines_of(path, count):
    """The first so many lines of JSON that a file gets, or all that it has when the time is over."""
    limit = time.monotonic() + exchange.TIMEOUT
    while path.read_text().count("\n") < count and time.monotonic() < limit:
        time.sleep(0.05)
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]]


@pytest.fixture(scope="module")
def tap_capture(guest, tmp_path_factory):
    """A file that gets a line for each frame from our source that comes out of a TAP."""
    path = tmp_path_factory.mktemp("capture") / "frames"
    argv = [sys.executable, str(CAPTURE), inject.MARK]
    with open(path, "w") as output, subprocess.Popen(argv, stdout=output) as process:
        try:
            assert len(lines_of(path, 1)) == 1
            yield path
        finally:
            process.kill()


def arguments(nic, protocol, six):
    """Those of packets.frame()."""
    return {
        "macs": (exchange.mac_bytes(exchange.tap_mac(nic)) + exchange.mac_bytes(inject.MARK)).hex(),
        "ends": (nic.guest6, nic.host6) if six else (nic.guest4, nic.host4),
        "protocol": protocol,
        "ports": (next(ports), 9),
        "partial": True,
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("device", NAMES)
def test_packets_from_user_space(guest, tap_capture, device, kind):
    """As a virtual machine or a container's TCP in user space sends them."""
    number = NAMES.index(device)
    nic, name = guest.nics[number], guest.names[number]
    protocol, six, gso, feature = KINDS[kind]
    fields = {
        "flags": NEEDS_CSUM,
        "gso_type": gso,
        "gso_size": SEGMENT,
        "start": L4_IN_6 if six else L4,
        "offset": packets.CHECKSUM_AT[protocol],
    }
    frames = [(size, arguments(nic, protocol, six)) for size in LENGTHS]
    headers_length = fields["start"] + (20 if protocol == TCP else 8)
    head = inject.header(hdr_len=headers_length, **fields).hex()
    is_gso = feature in guest.features[number]
    segments = sum(-(-size // SEGMENT) for size in LENGTHS)
    count = len(LENGTHS) if is_gso else segments
    before = len(lines_of(tap_capture, 1))

    guest.run(send("frames", interface=name, sent=[(head, *frame) for frame in frames]))
    found = lines_of(tap_capture, before + count)[before:]

    assert {line["interface"] for line in found} == {nic.tap}
    assert len(found) == count
    if is_gso:
        for line, (size, wanted) in zip(found, frames):
            data = packets.frame(data=peer.content(size, size), **wanted)
            assert (line["length"], line["hash"]) == (len(data), hashlib.sha256(data).hexdigest())
            assert {field: line[field] for field in fields} == fields
    else:
        assert all(line["gso_type"] == 0 for line in found)
        assert sum(line["length"] - headers_length for line in found) == sum(LENGTHS)
        assert max(line["length"] for line in found) == headers_length + SEGMENT


def send(way, **arguments):
    """The command that has the guest send."""
    return [*PYTHON, "/payload/sender.py", way, json.dumps(arguments)]


def receiver(six, kind=socket.SOCK_DGRAM):
    made = socket.socket(socket.AF_INET6 if six else socket.AF_INET, kind)
    made.settimeout(exchange.TIMEOUT)
    return made


@pytest.mark.parametrize("six", [False, True], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("device", NAMES)
def test_datagrams_segmented_by_the_other_side(guest, device, six):
    """UDP_SEGMENT both ways: each segment comes as a datagram, and no earlier than where it is segmented."""
    number = NAMES.index(device)
    nic, size, segment = guest.nics[number], 20_000, 1000
    pieces = [peer.content(size, size)[start : start + segment] for start in range(0, size, segment)]
    with receiver(six) as end:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        end.bind((nic.host6 if six else nic.host4, 0))
        address, port = end.getsockname()[:2]
        with Watch(nic) as watch:
            guest.run(send("datagram", address=address, port=port, size=size, segment=segment))
            assert [end.recv(peer.PIECE) for _ in pieces] == pieces
        assert (watch.from_guest.longest > size) == ("HOST_USO" in guest.features[number])

        end.connect((nic.guest6 if six else nic.guest4, peer.PORT))
        end.setsockopt(SOL_UDP, UDP_SEGMENT, segment)
        with Watch(nic) as watch:
            end.send(b"".join(pieces))
            assert [end.recv(peer.PIECE) for _ in pieces] == pieces
        assert (watch.to_guest.longest > size) == (f"GUEST_USO{6 if six else 4}" in guest.features[number])


@pytest.mark.parametrize("six", [False, True], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("device", NAMES)
def test_pages_of_the_sender(guest, device, six):
    """MSG_ZEROCOPY: what arrives is right, and all memory is given back, uncopied where the driver takes fragments."""
    number = NAMES.index(device)
    nic, size = guest.nics[number], 3_000_000
    with receiver(six, socket.SOCK_STREAM) as server:
        server.bind((nic.host6 if six else nic.host4, 0))
        server.listen()
        address, port = server.getsockname()[:2]
        with guest.spawn(send("zerocopy", address=address, port=port, size=size)) as command:
            stream, _ = server.accept()
            stream.settimeout(exchange.TIMEOUT)
            with stream, stream.makefile("rb") as file:
                data = file.read()
            command.wait()
            report = json.loads(command.output())
    assert hashlib.sha256(data).digest() == hashlib.sha256(peer.content(size, size)).digest()
    assert report["sends"] > 1
    # The checksum of what is sent by reference has to be left to the device.
    assert report["copied"] == 0 or "CSUM" not in guest.features[number]


def test_afterwards(guest):
    for nic in guest.nics:
        exchange.everything(guest, nic)
