# SPDX-License-Identifier: GPL-2.0
"""The other end of the traffic tests, on either side of the link: answers, and sends when told to.

peer.py serve          TCP and UDP, on all interfaces, until it is killed
peer.py serve-frames   raw frames too. Only at one end of a link: what two of them send each other never ends
peer.py flood ADDRESS PAUSE
                       UDP packets to such a server, which sends them back, until it is killed, with a pause of so
                       many seconds after each 20

Stands alone: it runs in the guest too.
"""

import hashlib
import json
import random
import socket
import sys
import threading
import time

PORT = 7000
# IEEE's first local experimental EtherType: no stack takes these frames.
ETHERTYPE = 0x88B5
PIECE = 65536


def content(seed, size):
    return random.Random(seed).randbytes(size)


def listener(kind):
    """A socket on all addresses, IPv4 ones too."""
    made = socket.socket(socket.AF_INET6, kind)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    made.bind(("::", PORT))
    return made


def serve_stream(connection):
    """Gets one line of JSON; then either takes bytes and answers with their hash, or sends bytes."""
    with connection, connection.makefile("rb") as stream:
        request = json.loads(stream.readline())
        if "send" in request:
            connection.sendall(content(request["seed"], request["send"]))
            return
        found = hashlib.sha256()
        while piece := stream.read(PIECE):
            found.update(piece)
        connection.sendall(found.hexdigest().encode())


def serve_tcp(server):
    while True:
        connection, _ = server.accept()
        threading.Thread(target=serve_stream, args=(connection,), daemon=True).start()


def serve_udp(server):
    while True:
        data, sender = server.recvfrom(PIECE)
        try:
            server.sendto(data, sender)
        except OSError:
            # The interface is gone by now: the datagram is lost, as any may be.
            pass


def serve_frames(server):
    """Sends each frame back as it came, but for the addresses."""
    while True:
        frame, (interface, *_) = server.recvfrom(PIECE)
        try:
            server.sendto(frame[6:12] + frame[:6] + frame[12:], (interface, ETHERTYPE))
        except OSError:
            pass


def serve():
    stream, datagrams = listener(socket.SOCK_STREAM), listener(socket.SOCK_DGRAM)
    threading.Thread(target=serve_udp, args=(datagrams,), daemon=True).start()
    # Last: who sees the port open can use all of it.
    stream.listen(16)
    serve_tcp(stream)


def serve_all():
    frames = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE))
    frames.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    threading.Thread(target=serve_frames, args=(frames,), daemon=True).start()
    serve()


def flood(address, pause):
    """Sizes of one segment, of two and of fragments. Breaks are ridden out: the link may go away and come back."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sender = socket.socket(family, socket.SOCK_DGRAM)
    sender.setblocking(False)
    packets = [bytes(size) for size in (1, 200, 1400, 1472, 4000)]
    while True:
        for packet in packets * 4:
            try:
                sender.sendto(packet, (address, PORT))
                while True:
                    sender.recv(PIECE)
            except BlockingIOError:
                pass
            except OSError:
                time.sleep(0.01)
        time.sleep(float(pause))


if __name__ == "__main__":
    {"serve": serve, "serve-frames": serve_all, "flood": flood}[sys.argv[1]](*sys.argv[2:])
