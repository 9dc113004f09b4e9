# SPDX-License-Identifier: GPL-2.0
"""Sends frames as fast as it can past all queueing, until it is told to stop. Runs in the guest.

bypass.py INTERFACE FILE  until FILE exists; then prints how many frames were taken as JSON, and how many bytes.

Nothing stops such a sender when a queue is stopped: a frame that is not taken is an error, and it tries again.
"""

import json
import os
import socket
import sys

# linux/if_packet.h
SOL_PACKET, PACKET_QDISC_BYPASS = 263, 20
# An EtherType that nobody takes, and no address of the link.
HEAD = bytes.fromhex("02000000ffff" + "02000000fffe" + "88b6")
SIZES = (60, 590, 1514)
# A program that sends until the driver takes no more of one queue.
FILL = """
import socket, sys
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
link.setsockopt(263, 20, 1)  # SOL_PACKET, PACKET_QDISC_BYPASS
link.setsockopt(socket.SOL_SOCKET, 32, 1 << 22)  # SO_SNDBUFFORCE
link.bind((sys.argv[1], 0))
try:
    while True:
        link.send(bytes.fromhex("02000000ffff02000000fffe88b6").ljust(60))
except OSError:
    pass
"""


def main(interface, stop):
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    link.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
    link.setblocking(False)
    link.bind((interface, 0))
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
    main(*sys.argv[1:])
