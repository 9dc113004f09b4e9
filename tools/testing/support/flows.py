# SPDX-License-Identifier: GPL-2.0
"""Looks for frames that have the hash and the queue that is said: flows.py INTERFACE FILE. Runs in the guest.

FILE has a list of pairs as JSON, with null for any queue. Frame number N of the list has N in the last bytes of its source address. Prints "ready",
then the number of each frame that came as it should.

Filters of the classic kind are the way to see what the driver has said of the hash: anything else makes the kernel
compute one where there is none.
"""

import ctypes
import json
import select
import socket
import struct
import sys

# linux/filter.h: loads of 16 and 32 bits, a comparison, and the end.
LDH, LD, JEQ, RET = 0x28, 0x20, 0x15, 0x06
SKF_AD_QUEUE, SKF_AD_RXHASH = 0xFFFFF000 + 24, 0xFFFFF000 + 32
SO_ATTACH_FILTER = 26
ETH_P_ALL = 3


def looking_for(interface, number, hashed, queue):
    """A socket for frames of that number, hash and queue."""
    loads = [(LDH, 10, number), (LD, SKF_AD_RXHASH, hashed)]
    if queue is not None:
        # The kernel has 0 for no queue.
        loads.append((LD, SKF_AD_QUEUE, queue + 1))
    code = []
    for left, (load, at, wanted) in zip(range(2 * len(loads) - 1, 0, -2), loads):
        code += [struct.pack("HBBI", load, 0, 0, at), struct.pack("HBBI", JEQ, 0, left, wanted)]
    code += [struct.pack("HBBI", RET, 0, 0, 64), struct.pack("HBBI", RET, 0, 0, 0)]
    filters = ctypes.create_string_buffer(b"".join(code))
    program = struct.pack("HL", len(code), ctypes.addressof(filters))
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    link.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
    link.bind((interface, ETH_P_ALL))
    return link


def main(interface, path):
    with open(path) as file:
        wanted = json.load(file)
    numbers = {looking_for(interface, i, *pair): i for i, pair in enumerate(wanted)}
    print("ready", flush=True)
    while numbers:
        for link in select.select(list(numbers), [], [])[0]:
            print(numbers.pop(link), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
