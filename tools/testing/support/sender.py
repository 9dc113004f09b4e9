# SPDX-License-Identifier: GPL-2.0
"""Sends from the guest what a usual socket does not. The last argument is JSON and says what to send.

sender.py frames ...     whole frames, each with a virtio header for the driver
sender.py datagram ...   a UDP datagram that the kernel is asked to segment
sender.py zerocopy ...   a TCP stream from memory that nobody copies; prints what became of it
"""

import json
import select
import socket
import struct
import sys

import packets
import peer

SOL_PACKET, PACKET_VNET_HDR = 263, 15
SOL_UDP, UDP_SEGMENT = 17, 103
MSG_ZEROCOPY, SO_ZEROCOPY = 0x4000000, 60
# linux/errqueue.h: struct sock_extended_err
EXTENDED_ERROR = struct.Struct("=IBBBBII")
ORIGIN_ZEROCOPY, CODE_COPIED = 5, 1
CHUNK = 1 << 17


def frames(interface, sent):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
        link.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        link.bind((interface, 0))
        for header, size, arguments in sent:
            link.send(bytes.fromhex(header) + packets.frame(data=peer.content(size, size), **arguments))


def datagram(address, port, size, segment):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(SOL_UDP, UDP_SEGMENT, segment)
        sender.sendto(peer.content(size, size), (address, port))


def given_back(stream):
    """The sends that one report covers, and whether they were copied after all."""
    _, control, _, _ = stream.recvmsg(1, 512, socket.MSG_ERRQUEUE)
    _, origin, _, code, _, first, last = EXTENDED_ERROR.unpack(control[0][2][: EXTENDED_ERROR.size])
    assert origin == ORIGIN_ZEROCOPY
    return range(first, last + 1), code == CODE_COPIED


def zerocopy(address, port, size):
    data = memoryview(peer.content(size, size))
    with socket.create_connection((address, port)) as stream:
        stream.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
        sends = 0
        while data:
            data = data[stream.send(data[:CHUNK], MSG_ZEROCOPY) :]
            sends += 1
        stream.shutdown(socket.SHUT_WR)
        waiting, copied = set(range(sends)), 0
        poll = select.poll()
        poll.register(stream, 0)
        while waiting:
            poll.poll()
            reported, was_copied = given_back(stream)
            waiting -= set(reported)
            copied += was_copied * len(reported)
    print(json.dumps({"sends": sends, "copied": copied}))


if __name__ == "__main__":
    {"frames": frames, "datagram": datagram, "zerocopy": zerocopy}[sys.argv[1]](**json.loads(sys.argv[2]))
