# SPDX-License-Identifier: GPL-2.0
"""Checksums: damaged packets are not delivered, and packets leave with the checksum that was agreed on."""

import socket
import struct
import time

import pytest

from lab import features, traffic
from lab.agent import PYTHON
from support import bpf, exchange, faults, packets, peer
from support.kernel_log import no_errors  # noqa: F401
from support.nics import LEGACY, NO_CSUM, NO_GUEST_CSUM, SMALL

DEVICES = {
    "plain": {},
    "small": SMALL,
    "legacy": LEGACY,
    "no guest_csum": NO_GUEST_CSUM,
    "no checksums": NO_CSUM | NO_GUEST_CSUM,
}
NAMES = list(DEVICES)
SOURCE_PORT = 4321
# Options of a packet socket: what the device said about each packet comes before it, and what is known of it beside it.
SOL_PACKET, PACKET_AUXDATA, PACKET_VNET_HDR = 263, 8, 15
NEEDS_CSUM = 1
# linux/if_packet.h: the checksum is not there yet. A client such as that of DHCP, which looks at it itself, goes by this.
TP_STATUS_CSUMNOTREADY = 8
# Runs in the guest: asks a port of the host by UDP, and prints the status of the answer, as a packet socket has it.
STATUS = f"""
import socket, struct, sys
name, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
link = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x800))
link.setsockopt({SOL_PACKET}, {PACKET_AUXDATA}, 1)
link.bind((name, 0x800))
link.settimeout({exchange.TIMEOUT})
asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asker.connect((address, port))
asker.send(bytes(100))
while True:
    packet, ((_, _, beside),), _, (_, _, kind, *_) = link.recvmsg(2048, 64)
    start = packet[0] % 16 * 4
    if kind != socket.PACKET_OUTGOING and packet[9] == 17 and struct.unpack_from(">H", packet, start)[0] == port:
        print(struct.unpack_from("=I", beside)[0])
        break
"""


@pytest.fixture(scope="module")
def guest(boot, driver):
    with boot(nics=DEVICES.values(), files=[exchange.PEER]) as guest:
        driver.load(guest)
        for nic in guest.nics:
            guest.bring_up(nic)
        with exchange.peer_in(guest):
            yield guest


@pytest.fixture(params=NAMES)
def nic(guest, request):
    """A NIC with both ends known to each other: only the packets of the test cross the link."""
    nic = guest.nics[NAMES.index(request.param)]
    for address in (nic.guest4, nic.guest6):
        exchange.ping(traffic.host_run, address)
    return nic


class Link:
    """The host's end of a NIC, frame by frame."""

    def __init__(self, nic):
        self.nic = nic
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.socket.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.is_ready = True
        self.socket.bind((nic.tap, 3))
        self.head = exchange.mac_bytes(nic.mac) + exchange.mac_bytes(exchange.tap_mac(nic))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, protocol, transport, wrong=0, six=False):
        source, target = (self.nic.host6, self.nic.guest6) if six else (self.nic.host4, self.nic.guest4)
        packet = packets.ip_packet(source, target, protocol, transport, wrong)
        self.socket.send(bytes(10) + self.head + (b"\x86\xdd" if six else b"\x08\x00") + packet)

    def receive(self, protocol, ports):
        """The fields of the virtio header, and the first packet that the guest sends to one of these ports. `is_ready` is
        whether its checksum is there."""
        limit = time.monotonic() + exchange.TIMEOUT
        while (left := limit - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                data, ((_, _, beside),), _, (_, _, kind, _, _) = self.socket.recvmsg(peer.PIECE, 64)
            except TimeoutError:
                break
            found = packets.Received(data[10:])
            if kind != socket.PACKET_OUTGOING and found.protocol == protocol and found.ports[1] in ports:
                self.is_ready = not struct.unpack_from("=I", beside)[0] & TP_STATUS_CSUMNOTREADY
                return struct.unpack("<BBHHHH", data[:10]), found
        raise AssertionError(f"no answer from the guest to any of the ports {ports}")


def checksum_errors(run):
    """How many packets of either protocol the stack where `run` runs has dropped for their checksum."""
    count = {}
    for line in run(["cat", "/proc/net/snmp6"]).stdout.splitlines():
        name, value = line.split()
        count[name] = int(value)
    lines = [line.split() for line in run(["cat", "/proc/net/snmp"]).stdout.splitlines()]
    for names, values in zip(lines[::2], lines[1::2]):
        count |= {names[0][:-1] + name: int(value) for name, value in zip(names[1:], values[1:])}
    return {packets.UDP: count["UdpInCsumErrors"] + count["Udp6InCsumErrors"], packets.TCP: count["TcpInCsumErrors"]}


@pytest.mark.parametrize("six", [False, True], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("protocol", [packets.UDP, packets.TCP], ids=["udp", "tcp"])
def test_damaged_packets_are_not_delivered(guest, nic, protocol, six):
    def request(port):
        if protocol == packets.UDP:
            return packets.udp(port, peer.PORT, b"x" * 100)
        return packets.syn(port, peer.PORT)

    before = checksum_errors(guest.run)[protocol]
    with Link(nic) as link:
        for wrong in (1, 0x8000, 0x0180):
            link.send(protocol, request(SOURCE_PORT), wrong=wrong, six=six)
        # This one is right and comes last: with its answer, those to the others would have come too.
        link.send(protocol, request(SOURCE_PORT + 1), six=six)
        _, answer = link.receive(protocol, (SOURCE_PORT, SOURCE_PORT + 1))
    assert answer.ports[1] == SOURCE_PORT + 1, "a damaged packet was answered"
    assert checksum_errors(guest.run)[protocol] == before + 3


@pytest.mark.parametrize("six", [False, True], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("offload", ["on", "off"])
def test_checksums_of_what_is_sent(guest, nic, offload, six):
    name = guest.interface(nic)
    if "CSUM" not in features.negotiated(guest, nic):
        if offload == "on":
            guest.run(["ethtool", "-K", name, "tx", "on"], check=False)
        # What the device cannot do the interface must not promise, whatever was asked for.
        offload = "off"
    else:
        guest.run(["ethtool", "-K", name, "tx", offload])
    try:
        with Link(nic) as link:
            for size in (1, 2, 99, 1000, 1400):
                link.send(packets.UDP, packets.udp(SOURCE_PORT, peer.PORT, peer.content(size, size)), six=six)
                (flags, _, _, _, start, offset), answer = link.receive(packets.UDP, [SOURCE_PORT])
                assert answer.transport[8:] == peer.content(size, size)
                assert link.is_ready == (offload == "off")
                if offload == "on":
                    assert flags & NEEDS_CSUM and answer.is_partial()
                    assert (start, offset) == (answer.start, packets.CHECKSUM_AT[packets.UDP])
                else:
                    assert not flags & NEEDS_CSUM and answer.is_complete()
        address = nic.guest6 if six else nic.guest4
        exchange.tcp_from_guest(address)
        exchange.udp_echo(address)
    finally:
        guest.run(["ethtool", "-K", name, "tx", "on"], check=False)


def test_packet_socket_of_the_guest(guest, nic):
    """It is told of a packet whose checksum the host has left to the device, and the device to the guest."""
    with exchange.peer_on_host():
        status = guest.run([*PYTHON, "-c", STATUS, guest.interface(nic), nic.host4, peer.PORT]).stdout
    assert bool(int(status) & TP_STATUS_CSUMNOTREADY) == ("GUEST_CSUM" in features.negotiated(guest, nic))


# --- Whether damage would be seen ----------------------------------------------


@pytest.fixture(scope="module")
def damage(tmp_path_factory):
    return bpf.build("damage", tmp_path_factory.mktemp("damage"))


@pytest.mark.parametrize("six", [False, True], ids=["ipv4", "ipv6"])
def test_damage_on_the_way_to_the_guest(guest, nic, damage, six):
    """It happens before there is a checksum, as it would in a driver: the tests of content have to see it.

    Datagrams have one from the start if the device is to get it complete.
    """
    address = nic.guest6 if six else nic.guest4
    tests = [exchange.tcp_to_guest]
    if "GUEST_CSUM" in features.negotiated(guest, nic):
        tests.append(exchange.udp_echo)
    with bpf.attached(nic, damage, egress="tc/damage"):
        for seen in tests:
            with pytest.raises(AssertionError, match="other bytes arrived|the answer to .* bytes differs"):
                seen(address)
    exchange.tcp_to_guest(address)
    exchange.udp_echo(address)


@pytest.mark.parametrize("six", [False, True], ids=["ipv4", "ipv6"])
def test_damage_on_the_way_from_the_guest(guest, nic, damage, six):
    """The tests of content have to see it, unless the guest sends checksums, which keep damage from being delivered."""
    address = nic.guest6 if six else nic.guest4
    with bpf.attached(nic, damage, ingress="tc/damage"):
        if "CSUM" in features.negotiated(guest, nic):
            for seen in (exchange.tcp_from_guest, exchange.udp_echo):
                with pytest.raises(AssertionError, match="other bytes arrived|the answer to .* bytes differs"):
                    seen(address)
        else:
            before = checksum_errors(traffic.host_run)[packets.UDP]
            with exchange.udp_to(address) as sender:

                def is_dropped():
                    # The checksum is looked at when the answer is read.
                    with pytest.raises(BlockingIOError):
                        sender.recv(peer.PIECE)
                    return checksum_errors(traffic.host_run)[packets.UDP] > before

                sender.send(peer.content(1, 1000))
                sender.setblocking(False)
                faults.wait(is_dropped, "the answer is not dropped")
    exchange.tcp_from_guest(address)
    exchange.udp_echo(address)
