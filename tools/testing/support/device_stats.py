# SPDX-License-Identifier: GPL-2.0
"""What a device counts, as it says so (virtio 1.3, section 5.1.6.5.10)."""

import struct

# What tells a device of tools/device what to answer, when it is asked which types it keeps.
QUERY = {"class": 8, "code": 0}
# The number of each type, and how many counters it has.
RX, TX, CONTROL = {0: 6, 1: 4, 2: 4, 3: 2}, {16: 6, 17: 2, 18: 6, 19: 2}, {32: 2}


def types_of(queue, pairs):
    """Those of a queue of a device with so many pairs."""
    return CONTROL if queue == 2 * pairs else TX if queue % 2 else RX


def capabilities(kinds):
    return struct.pack("<Q", sum(1 << kind for kind in kinds)).hex()


def entry(queue, kind, values, size=None):
    """An entry of an answer. The size that it says is the true one, unless it is given."""
    body = struct.pack(f"<{len(values)}Q", *values)
    return struct.pack("<BBHHH", kind, 0, queue, 0, 8 + len(body) if size is None else size) + body
