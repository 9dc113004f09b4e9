#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""attaching.py NAME COUNT PROGRAM: attaches a pinned XDP program to an interface and detaches it, so many times.

A process for each would take far longer than what is tested."""

import ctypes
import os
import socket
import struct
import sys

SYS_BPF, BPF_OBJ_GET = 321, 7
RTM_SETLINK, NLMSG_ERROR, REQUEST_ACK = 19, 2, 5
IFLA_XDP, IFLA_XDP_FD, IFLA_XDP_FLAGS, NESTED = 43, 1, 3, 0x8000
DRIVER_MODE = 4


def opened(path):
    """A descriptor of what is pinned there."""
    name = ctypes.create_string_buffer(path.encode())
    attr = ctypes.create_string_buffer(struct.pack("=QII", ctypes.addressof(name), 0, 0))
    number = ctypes.CDLL(None, use_errno=True).syscall(SYS_BPF, BPF_OBJ_GET, attr, 16)
    if number < 0:
        raise OSError(ctypes.get_errno(), path)
    return number


def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data


def set_program(link, index, program):
    """Attaches a program, or detaches the one that there is if it is -1."""
    fields = attribute(IFLA_XDP_FD, struct.pack("=i", program)) + attribute(IFLA_XDP_FLAGS, struct.pack("=I", DRIVER_MODE))
    body = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, 0, 0) + attribute(IFLA_XDP | NESTED, fields)
    link.send(struct.pack("=IHHII", 16 + len(body), RTM_SETLINK, REQUEST_ACK, 1, 0) + body)
    answer = link.recv(1 << 16)
    kind, error = struct.unpack_from("=H", answer, 4)[0], struct.unpack_from("=i", answer, 16)[0]
    if kind != NLMSG_ERROR or error:
        raise OSError(-error, os.strerror(-error))


def main(name, count, program):
    number, index = opened(program), socket.if_nametoindex(name)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as link:
        for _ in range(int(count)):
            set_program(link, index, number)
            set_program(link, index, -1)


if __name__ == "__main__":
    main(*sys.argv[1:])
