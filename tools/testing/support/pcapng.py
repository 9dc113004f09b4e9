# SPDX-License-Identifier: GPL-2.0
"""Reads what a device of our own has written of the packets that crossed it (tools/device/src/capture.rs)."""

import struct
from dataclasses import dataclass
from pathlib import Path

SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
MAGIC = 0x1A2B3C4D
ETHERNET = 1
# Options of a packet.
END, FLAGS, QUEUE = 0, 2, 6
WAYS = {1: "in", 2: "out"}


@dataclass(frozen=True)
class Packet:
    # As the guest sees it: "in" or "out".
    way: str
    # The number of the virtqueue.
    queue: int
    data: bytes


def blocks(data):
    """The kind and the content of each; nothing may be left over."""
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        assert length % 4 == 0 and struct.unpack_from("<I", data, at + length - 4) == (length,)
        yield kind, data[at + 8 : at + length - 4]
        at += length


def padded(length):
    return -(-length // 4) * 4


def options(data):
    found, at = {}, 0
    while True:
        code, length = struct.unpack_from("<HH", data, at)
        if code == END:
            assert (length, len(data)) == (0, at + 4)
            return found
        found[code] = data[at + 4 : at + 4 + length]
        at += 4 + padded(length)


def read(path):
    """All packets, in their order. None of them may be cut."""
    (section, head), (interface, description), *rest = blocks(Path(path).read_bytes())
    assert (section, interface) == (SECTION, INTERFACE)
    assert struct.unpack_from("<IHH", head) == (MAGIC, 1, 0)
    assert struct.unpack_from("<H", description) == (ETHERNET,)
    packets = []
    for kind, content in rest:
        assert kind == PACKET
        number, _, _, captured, length = struct.unpack_from("<IIIII", content)
        assert number == 0 and captured == length
        said = options(content[20 + padded(captured) :])
        way, queue = (struct.unpack("<I", said[code])[0] for code in (FLAGS, QUEUE))
        packets.append(Packet(WAYS[way], queue, content[20 : 20 + captured]))
    return packets
