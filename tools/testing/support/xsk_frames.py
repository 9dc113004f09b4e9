# SPDX-License-Identifier: GPL-2.0
"""Sends frames from memory that is shared with the kernel (AF_XDP in copy mode). Runs in the guest.

xsk_frames.py INTERFACE FRAME...  frames in hexadecimal; prints as JSON whether the kernel may be left to compute checksums of
                           such, as it may where a driver wants them linear
"""

import contextlib
import ctypes
import json
import mmap
import socket
import struct
import sys

# linux/if_xdp.h
AF_XDP, SOL_XDP = 44, 283
MMAP_OFFSETS, RX_RING, TX_RING, UMEM_REG, FILL_RING, COMPLETION_RING = 1, 2, 3, 4, 5, 6
PGOFF_TX_RING, PGOFF_COMPLETION_RING = 0x80000000, 0x180000000
COPY, TX_SW_CSUM = 1 << 1, 1 << 1
SIZE, CHUNK, CHUNKS = 64, 4096, 16
DESCRIPTOR = struct.Struct("=QII")


class Socket:
    def __init__(self, interface, flags=0):
        self.socket = socket.socket(AF_XDP, socket.SOCK_RAW, 0)
        self.memory = mmap.mmap(-1, CHUNKS * CHUNK)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        self.set(UMEM_REG, struct.pack("=QQIIII", address, CHUNKS * CHUNK, CHUNK, 0, flags, 0))
        for ring in (FILL_RING, COMPLETION_RING, TX_RING):
            self.set(ring, struct.pack("=I", SIZE))
        self.offsets = struct.unpack("=16Q", self.socket.getsockopt(SOL_XDP, MMAP_OFFSETS, 128))
        where = struct.pack("=HHIII", AF_XDP, COPY, socket.if_nametoindex(interface), 0, 0)
        libc = ctypes.CDLL(None, use_errno=True)
        self.errno = ctypes.get_errno() if libc.bind(self.socket.fileno(), where, len(where)) else 0

    def set(self, option, value):
        self.socket.setsockopt(SOL_XDP, option, value)

    def send(self, frames):
        producer, consumer, descriptors, _ = self.offsets[4:8]
        length = descriptors + SIZE * DESCRIPTOR.size
        ring = mmap.mmap(self.socket.fileno(), length, offset=PGOFF_TX_RING)
        for i, frame in enumerate(frames):
            self.memory[i * CHUNK : i * CHUNK + len(frame)] = frame
            DESCRIPTOR.pack_into(ring, descriptors + i * DESCRIPTOR.size, i * CHUNK, len(frame), 0)
        struct.pack_into("=I", ring, producer, len(frames))
        while struct.unpack_from("=I", ring, consumer)[0] != len(frames):
            with contextlib.suppress(BlockingIOError):
                self.socket.send(b"", socket.MSG_DONTWAIT)


def main(interface, *frames):
    found = Socket(interface, TX_SW_CSUM)
    print(json.dumps(found.errno == 0))
    found.socket.close()
    if found.errno == 0:
        # The queue is not free again yet.
        return
    Socket(interface).send([bytes.fromhex(frame) for frame in frames])


if __name__ == "__main__":
    main(*sys.argv[1:])
