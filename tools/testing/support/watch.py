# SPDX-License-Identifier: GPL-2.0
"""Looks on at the host's end of a NIC: how many frames cross it each way, and how long they are."""

import socket
from dataclasses import dataclass

ETH_P_ALL = 3
# linux/if_packet.h
SOL_PACKET, PACKET_STATISTICS = 263, 6
SO_RCVBUFFORCE = 33
BUFFER = 256 << 20


@dataclass
class Way:
    frames: int = 0
    # Of headers and data, without a VLAN tag.
    bytes: int = 0
    longest: int = 0

    def add(self, length):
        self.frames += 1
        self.bytes += length
        self.longest = max(self.longest, length)


class Watch:
    """For a `with` block; what it has seen is in `to_guest` and `from_guest` at its end."""

    def __init__(self, nic):
        self.nic = nic
        self.to_guest, self.from_guest = Way(), Way()

    def __enter__(self):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        self.socket.bind((self.nic.tap, ETH_P_ALL))
        return self

    def __exit__(self, *_):
        with self.socket:
            self._read()

    def _read(self):
        start = bytearray(14)
        while True:
            try:
                length, (_, _, kind, _, _) = self.socket.recvfrom_into(start, 0, socket.MSG_TRUNC | socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            (self.to_guest if kind == socket.PACKET_OUTGOING else self.from_guest).add(length)
        lost = int.from_bytes(self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)[4:], "little")
        assert lost == 0, f"{lost} frames could not be looked at"
