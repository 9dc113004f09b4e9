# SPDX-License-Identifier: GPL-2.0
"""Sends frames as fast as it can past all queueing. Runs in the guest.

bypass.py INTERFACE FILE  until FILE exists; then prints how many frames were taken as JSON, and how many bytes.
bypass.py INTERFACE       until the driver takes no more of one queue.

Nothing stops such a sender when a queue is stopped: a frame that is not taken is an error, and it tries again.
"""

import contextlib
import json
import os
import socket
import sys

# linux/if_packet.h
SOL_PACKET, PACKET_QDISC_BYPASS = 263, 20
# An EtherType that nobody takes, and no address of the link.
HEAD = bytes.fromhex("02000000ffff" + "02000000fffe" + "88b6")
SIZES = (60, 590, 1514)
# asm-generic/socket.h; as much as no ring holds, in bytes.
SO_SNDBUFFORCE, ENOUGH = 32, 1 << 22


def opened(interface):
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    link.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
    link.bind((interface, 0))
    return link


def fill(interface):
    link = opened(interface)
    link.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, ENOUGH)
    frame = HEAD.ljust(SIZES[0], b"\0")
    with contextlib.suppress(OSError):
        while True:
            link.send(frame)


def send(interface, stop):
    link = opened(interface)
    link.setblocking(False)
    frames = [HEAD.ljust(size, b"\0") for size in SIZES]
    taken = refused = size = 0
    while not os.path.exists(stop):
        for _ in range(20):
            for frame in frames:
                try:
                    size += link.send(frame)
                    taken += 1
                except OSError:
                    refused += 1
    print(json.dumps({"taken": taken, "bytes": size, "refused": refused}))


if __name__ == "__main__":
    (send if len(sys.argv) > 2 else fill)(*sys.argv[1:])
