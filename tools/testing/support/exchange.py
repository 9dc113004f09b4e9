# SPDX-License-Identifier: GPL-2.0
"""The host's part of the traffic tests: what goes through a NIC must come out as it went in."""

import hashlib
import json
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from lab import device, host, kernel, traffic
from lab.agent import PYTHON
from support import peer

PEER = Path(peer.__file__)
COMMAND = [*PYTHON, "/payload/peer.py"]
# An answer that is not there after this time is not coming; on a busy machine others take seconds.
TIMEOUT = kernel.patient(20)
# How often a datagram is sent at most that the device has dropped.
TRIES = 3
# Around the header, a frame, a page, and with fragments up to the longest datagram.
DATAGRAMS = (0, 1, 17, 18, 19, 100, 511, 1000, 1471, 1472, 1473, 2000, 4096, 9000, 30000, 65507)
# Of a stream.
SIZE = kernel.rounds(2 << 20)
# Of a flood, in seconds: leaves CPU time to what is done beside it in a guest that is emulated. Packets are worked off on
# top of the process that they interrupt, which gets no further while they come as fast.
PAUSE = kernel.patient(0.04)


@contextmanager
def peer_in(guest):
    """The peer, serving in the guest. It must have been booted with PEER among its files."""
    with guest.spawn([*COMMAND, "serve-frames"]) as server:
        traffic.wait_listening(guest.read, peer.PORT)
        yield server


@contextmanager
def flooded(guest, nic, pause=PAUSE):
    """Small and large packets both ways through a NIC, all the time, also while it comes and goes, with a pause of so many seconds
    after each 20.

    There are peers at both ends.
    """
    argv = [sys.executable, str(PEER), "flood", nic.guest4, str(pause)]
    with guest.spawn([*COMMAND, "flood", nic.host4, pause]), subprocess.Popen(argv) as process:
        try:
            yield
            assert process.poll() is None, "the flood from the host ended by itself"
        finally:
            process.kill()


@contextmanager
def peer_on_host():
    argv = [sys.executable, str(PEER), "serve"]
    with traffic.host_server(argv, peer.PORT):
        yield


def ping(run, address, *options):
    """A single request: `ping` is patient only as long as it has got no answer at all."""
    done = run(["ping", "-n", "-q", "-c", 1, "-W", TIMEOUT, *options, address], check=False)
    assert " 1 received" in done.stdout, f"ping {address} {options}:\n{done.stdout}{done.stderr}"


def answers(run, address):
    """Requests until there is an answer: beside other traffic some are lost, as when all wait for ARP."""
    done = run(["ping", "-n", "-q", "-c", 1, "-w", TIMEOUT, "-i", "0.1", address], check=False)
    assert " 0 received" not in done.stdout, f"ping {address}:\n{done.stdout}{done.stderr}"


def reaches(nic):
    """The guest answers through a NIC. It is the host that asks: there is no process to be started in the guest."""
    # Which address the guest had may be out of date.
    host.run("ip", "neigh", "flush", "dev", nic.link)
    answers(traffic.host_run, nic.guest4)


@contextmanager
def reached(nic):
    """Whatever is done to a NIC meanwhile, the device goes on without it."""
    reaches(nic)
    yield
    reaches(nic)


def pings(guest, nic, mtu=1500):
    """Echo requests from either side, the largest that need no fragments, and small ones from the host."""
    for address, header in ((nic.host4, 28), (nic.host6, 48)):
        ping(guest.run, address, "-M", "do", "-s", mtu - header)
    for address, header in ((nic.guest4, 28), (nic.guest6, 48)):
        ping(traffic.host_run, address)
        ping(traffic.host_run, address, "-M", "do", "-s", mtu - header)


def tcp_to_guest(address, size=SIZE, seed=1):
    data = peer.content(seed, size)
    with socket.create_connection((address, peer.PORT), timeout=TIMEOUT) as stream:
        stream.sendall(json.dumps({"receive": size}).encode() + b"\n")
        # What TIMEOUT limits is a pause, not the whole stream, which takes a busy host as long as it takes.
        for start in range(0, size, peer.PIECE):
            stream.sendall(data[start:start + peer.PIECE])
        stream.shutdown(socket.SHUT_WR)
        answer = stream.makefile("rb").read().decode()
    assert answer == hashlib.sha256(data).hexdigest(), f"TCP to {address}: other bytes arrived than were sent"


def tcp_from_guest(address, size=SIZE, seed=2):
    with socket.create_connection((address, peer.PORT), timeout=TIMEOUT) as stream:
        stream.sendall(json.dumps({"send": size, "seed": seed}).encode() + b"\n")
        data = stream.makefile("rb").read()
    wanted = peer.content(seed, size)
    assert len(data) == size, f"TCP from {address}: {len(data)} of {size} bytes arrived"
    same = hashlib.sha256(data).digest() == hashlib.sha256(wanted).digest()
    assert same, f"TCP from {address}: other bytes arrived than were sent"


def after_another(sender):
    """What comes when another datagram is sent: the one before may have been lost, or lie where nobody has looked."""
    lengths = []
    sender.send(bytes(5))
    try:
        while True:
            lengths.append(len(sender.recv(peer.PIECE)))
    except TimeoutError:
        return f"the answers after another 5 bytes: {lengths}"


def dropped(nic):
    """How many packets for the guest a device of our own had no buffer for. QEMU's has them wait instead."""
    return nic.order("counters")["dropped"] if isinstance(nic, device.Device) else 0


def answered(sender, data, nic):
    """Sends a datagram and returns the answer. Once more if the device of `nic` has dropped something meanwhile, as it does
    when a busy guest is late with buffers."""
    for _ in range(TRIES):
        before = dropped(nic)
        sender.send(data)
        try:
            return sender.recv(peer.PIECE)
        except TimeoutError:
            if dropped(nic) == before:
                break
    raise AssertionError(f"UDP to {sender.getpeername()[0]}: no answer to {len(data)} bytes; {after_another(sender)}")


@contextmanager
def udp_to(address):
    """A socket that is connected to the peer."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.settimeout(TIMEOUT)
        sender.connect((address, peer.PORT))
        yield sender


def udp_echo(address, sizes=DATAGRAMS, nic=None):
    """One datagram at a time, so that none may be lost but by a device of our own."""
    with udp_to(address) as sender:
        for size in sizes:
            data = peer.content(size, size)
            assert answered(sender, data, nic) == data, f"UDP to {address}: the answer to {size} bytes differs"


def everything(guest, nic, mtu=1500):
    """Traffic of all kinds, both ways, IPv4 and IPv6. The peer serves in the guest."""
    pings(guest, nic, mtu)
    for address in (nic.guest4, nic.guest6):
        tcp_to_guest(address)
        tcp_from_guest(address)
        udp_echo(address, nic=nic)


# --- Frames without a protocol --------------------------------------------------


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def tap_mac(nic):
    return json.loads(host.run("ip", "-json", "link", "show", nic.tap).stdout)[0]["address"]


def frame_head(nic):
    """The header of a frame for the guest."""
    return mac_bytes(nic.mac) + mac_bytes(tap_mac(nic)) + peer.ETHERTYPE.to_bytes(2, "big")


def send_frames(nic, lengths):
    """Frames of these lengths, the header of 14 bytes included, to the guest."""
    head = frame_head(nic)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as link:
        link.bind((nic.tap, 0))
        for length in lengths:
            link.send(head + peer.content(length, length - len(head)))


def frames_echo(nic, lengths, batch=16, answer_to=lambda body: body, ends=None):
    """Frames of these lengths, the header of 14 bytes included, to the guest and back, compared byte for byte. What is behind
    the header comes back as `answer_to` says, and where another NIC `ends` the way, from that.

    With several queues in any order, as a TAP sends on to the queue by which the last answer came."""
    head = frame_head(nic)
    back = head[6:12] + head[:6] + head[12:]
    lengths = list(lengths)
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender,
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as link,
    ):
        sender.bind((nic.tap, 0))
        link.bind(((ends or nic).link, peer.ETHERTYPE))
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        link.settimeout(TIMEOUT)
        for start in range(0, len(lengths), batch):
            bodies = [peer.content(length, length - len(head)) for length in lengths[start : start + batch]]
            for body in bodies:
                sender.send(head + body)
            wanted = [back + answer_to(body) for body in bodies]
            while wanted:
                try:
                    answer = link.recv(peer.PIECE)
                except TimeoutError:
                    raise AssertionError(f"the frame of {len(wanted[0])} bytes did not come back") from None
                assert answer in (wanted if nic.queues > 1 else wanted[:1]), f"{len(answer)} bytes came back, not the {len(wanted[0])} sent"
                wanted.remove(answer)
