# SPDX-License-Identifier: GPL-2.0
"""Frames that say what the AF_XDP socket that turns them back is to request for them (xsk.py), and what a device is told then."""

from dataclasses import dataclass

from support import peer
from support.xsk import CHECKSUM, ETHERNET, LAUNCH_TIME, REQUEST, TIMESTAMP

NEEDS_CSUM = 1
# Behind a header of IPv4, without which a TAP takes none; that of UDP.
START, OFFSET = 34, 6
LENGTHS = (60, 224, 225, 1514)
UNKNOWN = 1 << 63
# The longest one that the kernel knows, and one that has no room for all that it knows.
METADATA = (24, 16)


@dataclass(frozen=True)
class Frame:
    """
    body    what is behind the addresses and the type
    header  what the device is told: flags, csum_start and csum_offset
    """

    body: bytes
    header: tuple


def frame(length, header, flags, start=START, offset=OFFSET, said=True, seed=0):
    request = REQUEST.pack(said, flags, start, offset)
    return Frame(request + peer.content(seed or length, length - ETHERNET - len(request)), header)


def left(start, offset):
    """The checksum there is left to the device."""
    return NEEDS_CSUM, start, offset


NOTHING = 0, 0, 0


def frames(metadata, taken=True):
    """Of all kinds. `taken` is whether the device completes checksums at all."""
    for length in LENGTHS:
        places = {
            # At the end, and one byte further.
            (START, length - START - 2): True,
            (START, length - START - 1): False,
            (length - 2, 0): True,
            (length - 1, 0): False,
            # Sums of 16 bits would be small.
            (0xFFFF, 0xFFFF): False,
            (0xFFFF, 31): False,
            (30, 0xFFFF): False,
        }
        for (start, offset), inside in places.items():
            yield frame(length, left(start, offset) if taken and inside else NOTHING, CHECKSUM, start, offset)
        asked = left(START, OFFSET) if taken else NOTHING
        yield frame(length, asked, CHECKSUM)
        yield frame(length, asked, CHECKSUM | TIMESTAMP)
        yield frame(length, asked if metadata >= 24 else NOTHING, CHECKSUM | LAUNCH_TIME)
        yield frame(length, NOTHING, CHECKSUM | UNKNOWN)
        yield frame(length, NOTHING, TIMESTAMP)
        yield frame(length, NOTHING, CHECKSUM, said=False)
