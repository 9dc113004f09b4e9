# SPDX-License-Identifier: GPL-2.0
"""GSO packets in tunnels, to and from a device of our own: headers of 24 bytes, which say where what is in a packet.

That the places are right in what is sent is judged by the device.
"""

import json
import socket
import time

import pytest

from lab import features
from lab.agent import PYTHON
from support import counters, exchange, faults, ordered, packets, peer
from support.inject import NEEDS_CSUM, TCPV4, TCPV6, TUNNEL4, TUNNEL6, UDP_TUNNEL_CSUM, UFO, USO
from support.kernel_log import no_errors  # noqa: F401
from support.tunnels import PORT, tunnel

PLAIN = "MAC STATUS CTRL_VQ VERSION_1 CSUM GUEST_CSUM"
GSO = " HOST_TSO4 HOST_TSO6 HOST_USO GUEST_TSO4 GUEST_TSO6 GUEST_USO4 GUEST_USO6"
TUNNELS = " GUEST_UDP_TUNNEL_GSO HOST_UDP_TUNNEL_GSO"
SUMS = " GUEST_UDP_TUNNEL_GSO_CSUM HOST_UDP_TUNNEL_GSO_CSUM"
HASHES = {"key_size": 40, "table_size": 8, "hash_types": 0x1FF}
DEVICES = {
    "mergeable": (PLAIN + GSO + TUNNELS + SUMS + " MRG_RXBUF HASH_REPORT CTRL_GUEST_OFFLOADS", HASHES),
    "packed": (PLAIN + GSO + TUNNELS + " MRG_RXBUF RING_PACKED", {}),
    "chained": (PLAIN + GSO + TUNNELS + SUMS + " INDIRECT_DESC GUEST_HDRLEN", {}),
}
NAMES = list(DEVICES)
# The command that sets which GSO packets may be received, and the bits that are tunnels there.
OFFLOADS, MAPPED = (5, 0), [46, 47]
SEGMENT = 1000
SEGMENTS = 12
# From where a packet in a tunnel begins to its own IP header: UDP, VXLAN and Ethernet.
AROUND = 8 + 8 + 14
# Sends a datagram that is to be segmented to the address that is given.
SEND = f"""
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
out = socket.socket(family, socket.SOCK_DGRAM)
out.setsockopt(socket.IPPROTO_UDP, 103, {SEGMENT})
out.sendto(bytes({SEGMENT * SEGMENTS}), (sys.argv[1], 9))
"""


@pytest.fixture(scope="module")
def guest(boot, driver):
    nics = [ordered.made(names, way="vfio-user", **config) for names, config in DEVICES.values()]
    with faults.serving(boot, driver, nics, modules=["vxlan"], files=[counters.NETDEV]) as guest:
        yield guest


@pytest.fixture(params=NAMES)
def nic(guest, request):
    return guest.nics[NAMES.index(request.param)]


def test_features(guest, nic):
    assert set(features.bits(guest, nic)) == set(nic.order("features")) == set(nic.settings["features"])


def test_traffic(guest, nic):
    exchange.everything(guest, nic)


def test_offloads(guest):
    """Tunnels are among the GSO packets that a device is told not to pass on, by bits of their own."""
    nic = guest.nics[NAMES.index("mergeable")]
    for wanted in ("off", "on"):
        ordered.forget_commands(nic)
        guest.run(["ethtool", "-K", nic.name, "rx-gro-hw", wanted])
        (body,) = [body for code, body in ordered.commands(nic) if code == OFFLOADS]
        mask = int.from_bytes(bytes.fromhex(body), "little")
        assert [bit for bit in MAPPED if mask >> bit & 1] == (MAPPED if wanted == "on" else [])


def other_end(address):
    """The host's address in the tunnel where this one is the guest's."""
    return address[:-1] + "1"


def wait_for(nic, wanted):
    """The first packet that the guest sends whose header is as wanted, and that is longer than a frame."""
    limit = time.monotonic() + exchange.TIMEOUT
    while time.monotonic() < limit:
        for _, packet in nic.order("sent"):
            data, header = bytes.fromhex(packet["bytes"]), packet["header"]
            if len(data) > 1514 and wanted(header):
                return data, header
        time.sleep(0.02)
    raise AssertionError("the guest has not sent such a packet")


def ask_for_tcp(address):
    """A connection in the tunnel by which the guest is to send much."""
    stream = socket.create_connection((address, peer.PORT), timeout=exchange.TIMEOUT)
    stream.sendall(json.dumps({"send": 100_000, "seed": 1}).encode() + b"\n")
    return stream


@pytest.mark.parametrize("checksums", [True, False], ids=["checksums", "no checksums"])
@pytest.mark.parametrize("six", [False, True], ids=["over ipv4", "over ipv6"])
def test_sent(guest, nic, six, checksums):
    """GSO packets of TCP and UDP over IPv4 and IPv6, if the device takes them; also with a checksum around them."""
    is_whole = not checksums or "HOST_UDP_TUNNEL_GSO_CSUM" in features.negotiated(guest, nic)
    outer = TUNNEL6 if six else TUNNEL4
    flags = NEEDS_CSUM | (UDP_TUNNEL_CSUM if checksums else 0)
    with tunnel(guest, nic, six, checksums) as addresses:
        for address, tcp in zip(addresses, (TCPV4, TCPV6)):
            exchange.answers(guest.run, other_end(address))
            for kind in (tcp, USO):
                if not is_whole:
                    # Such packets are segmented by the stack.
                    nic.order("sent")
                    exchange.tcp_from_guest(address, 100_000)
                    assert not any(packet["header"]["gso_type"] for _, packet in nic.order("sent"))
                    continue
                if kind == USO:
                    guest.run([*PYTHON, "-c", SEND, other_end(address)])
                    _, header = wait_for(nic, lambda header: header["gso_type"] == outer | USO)
                    assert header["gso_size"] == SEGMENT
                else:
                    # The device's TAP takes no such packet, so the connection gets no further.
                    with ask_for_tcp(address):
                        _, header = wait_for(nic, lambda header: header["gso_type"] == outer | tcp)
                assert header["flags"] == flags
                assert header["outer_th_offset"] == (54 if six else 34)
                assert header["inner_nh_offset"] == header["outer_th_offset"] + AROUND


def in_tunnel(guest, nic, address, six, data):
    """A frame with a datagram in a tunnel from the host, and the places in it that its header has."""
    number = int(address.split(":")[1] if ":" in address else address.split(".")[1])
    mac = guest.read(f"/sys/class/net/vx{number}/address").strip()
    macs = mac.replace(":", "") + "020000000098"
    ends = (other_end(address), address)
    inner = packets.frame(macs, ends, packets.UDP, (peer.PORT, peer.PORT), data, partial=True)
    around = b"\x08\0\0\0" + number.to_bytes(3, "big") + b"\0" + inner
    macs = nic.mac.replace(":", "") + exchange.tap_mac(nic).replace(":", "")
    ends = (nic.host6, nic.guest6) if six else (nic.host4, nic.guest4)
    frame = bytearray(packets.frame(macs, ends, packets.UDP, (PORT, PORT), around))
    outer = 54 if six else 34
    frame[outer + 6 : outer + 8] = bytes(2)
    places = {"outer_th_offset": outer, "inner_nh_offset": outer + AROUND}
    return bytes(frame), places | {"csum_start": outer + AROUND + (40 if ":" in address else 20), "csum_offset": 6}


@pytest.mark.parametrize("six", [False, True], ids=["over ipv4", "over ipv6"])
def test_received(guest, nic, six):
    """A datagram that is segmented in the guest comes back segment by segment."""
    pieces = [bytes([number + 1]) * SEGMENT for number in range(SEGMENTS)]
    with tunnel(guest, nic, six, False) as addresses:
        for address in addresses:
            exchange.answers(guest.run, other_end(address))
            frame, places = in_tunnel(guest, nic, address, six, b"".join(pieces))
            kind = USO | (TUNNEL6 if six else TUNNEL4)
            header = places | {"flags": NEEDS_CSUM, "gso_type": kind, "gso_size": SEGMENT, "hdr_len": places["csum_start"] + 8}
            before = faults.bad(guest, nic)
            assert ordered.receive(nic, frame, header=header) > 0
            missing = set(pieces)

            def are_back():
                for _, packet in nic.order("sent"):
                    missing.discard(bytes.fromhex(packet["bytes"])[-SEGMENT:])
                return not missing

            faults.wait(are_back, "the guest has not received all segments")
            assert faults.bad(guest, nic) == before


# A header that could be, of a packet of 200 bytes, and what cannot.
CAN_BE = {
    "flags": NEEDS_CSUM,
    "gso_type": TUNNEL4 | USO,
    "gso_size": 10,
    "hdr_len": 92,
    "csum_start": 84,
    "csum_offset": 6,
    "outer_th_offset": 34,
    "inner_nh_offset": 64,
}
CANNOT_BE = {
    "both kinds": {"gso_type": TUNNEL4 | TUNNEL6 | USO},
    "nothing to segment": {"gso_type": TUNNEL4},
    "fragments": {"gso_type": TUNNEL4 | UFO},
    "no checksum": {"flags": 0},
    "outer header too early": {"outer_th_offset": 33},
    "outer header too early for ipv6": {"gso_type": TUNNEL6 | USO, "outer_th_offset": 53},
    "inner header too early": {"inner_nh_offset": 41},
    "inner header, highest": {"inner_nh_offset": 0xFFFF},
    "outer header, highest": {"outer_th_offset": 0xFFFF},
    "inner transport too early": {"csum_start": 83},
    "inner transport too early for ipv6": {"gso_type": TUNNEL4 | TCPV6, "csum_start": 103},
    "inner transport beyond": {"csum_start": 199},
    "no size": {"gso_size": 0},
    "places of nothing": {"outer_th_offset": 0, "inner_nh_offset": 0},
}


@pytest.mark.parametrize("kind", CANNOT_BE)
def test_wrong_header(guest, nic, kind):
    faults.counted(guest, nic, faults.with_header(**CAN_BE | CANNOT_BE[kind]), "rx_frame_errors")


def test_checksum_that_is_not_negotiated(guest):
    nic = guest.nics[NAMES.index("packed")]
    header = CAN_BE | {"flags": NEEDS_CSUM | UDP_TUNNEL_CSUM}
    faults.counted(guest, nic, faults.with_header(**header), "rx_frame_errors")


def test_places_without_a_tunnel(guest, nic):
    """They mean nothing."""
    faults.arrives(guest, nic, faults.with_header(outer_th_offset=0xFFFF, inner_nh_offset=0xFFFF))
