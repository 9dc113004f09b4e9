# SPDX-License-Identifier: GPL-2.0
"""A device of tools/device, for what QEMU's does not have: it takes every command, and counts."""

import struct

from lab import device, features

NAME = "own"
FEATURES = (
    "CSUM GUEST_CSUM CTRL_GUEST_OFFLOADS MAC GUEST_TSO4 GUEST_TSO6 HOST_TSO4 HOST_TSO6 MRG_RXBUF STATUS CTRL_VQ CTRL_RX CTRL_VLAN "
    "MQ CTRL_MAC_ADDR DEVICE_STATS VQ_NOTF_COAL NOTF_COAL RSS SPEED_DUPLEX VERSION_1"
)
PAIRS = 2
CONFIG = {"key_size": 40, "table_size": 8, "hash_types": 0x3F, "speed": 10000, "duplex": 1}
# virtio 1.3, section 5.1.6.5.9: the number of each type of statistics, and how many counters it has.
RX, TX, CONTROL = {0: 6, 1: 4, 2: 4, 3: 2}, {16: 6, 17: 2, 18: 6, 19: 2}, {32: 2}
QUERY = {"class": 8, "code": 0}


def made():
    numbers = {name: number for number, name in features.names().items()}
    return device.Device([numbers[name] for name in FEATURES.split()], PAIRS, **CONFIG)


def count(nic):
    """Has the device say that it keeps all statistics. All are what they are, so that the drivers are told the same."""
    nic.order("body", **QUERY, body=struct.pack("<Q", sum(1 << kind for kind in RX | TX | CONTROL)).hex())
    for queue in range(2 * PAIRS + 1):
        kinds = CONTROL if queue == 2 * PAIRS else TX if queue % 2 else RX
        for kind, counters in kinds.items():
            values = struct.pack(f"<{counters}Q", *range(1000 * queue + 10 * kind, 1000 * queue + 10 * kind + counters))
            nic.order("count", entry=(struct.pack("<BBHHH", kind, 0, queue, 0, 8 + len(values)) + values).hex())
