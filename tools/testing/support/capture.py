# SPDX-License-Identifier: GPL-2.0
"""Prints what all interfaces get from one source: capture.py MAC. Runs in the guest.

Each line is a frame as JSON: its interface, length and hash, and the virtio header that describes the packet as the
driver has handed it over. Those for which the kernel has no such header are left out.
"""

import hashlib
import json
import socket
import struct
import sys

SOL_PACKET, PACKET_VNET_HDR = 263, 15
ETH_P_ALL = 3
NAMES = ("flags", "gso_type", "hdr_len", "gso_size", "start", "offset")


def capture(source):
    source = bytes.fromhex(source.replace(":", ""))
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    link.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    print(json.dumps({"interface": None}), flush=True)
    while True:
        try:
            data, (interface, *_) = link.recvfrom(1 << 17)
        except OSError:
            continue
        frame = data[10:]
        if frame[6:12] == source:
            found = dict(zip(NAMES, struct.unpack("<BBHHHH", data[:10])))
            found |= {"interface": interface, "length": len(frame), "hash": hashlib.sha256(frame).hexdigest()}
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    capture(*sys.argv[1:])
