# SPDX-License-Identifier: GPL-2.0
"""A device of tools/device, for what QEMU's does not have: it takes every command, and counts."""

from lab import device, features
from testing.support import device_stats

NAME = "own"
FEATURES = (
    "CSUM GUEST_CSUM CTRL_GUEST_OFFLOADS MAC GUEST_TSO4 GUEST_TSO6 HOST_TSO4 HOST_TSO6 MRG_RXBUF STATUS CTRL_VQ CTRL_RX CTRL_VLAN "
    "MQ CTRL_MAC_ADDR DEVICE_STATS VQ_NOTF_COAL NOTF_COAL RSS SPEED_DUPLEX VERSION_1"
)
PAIRS = 2
CONFIG = {"key_size": 40, "table_size": 8, "hash_types": 0x3F, "speed": 10000, "duplex": 1}


def made():
    numbers = {name: number for number, name in features.names().items()}
    return device.Device([numbers[name] for name in FEATURES.split()], PAIRS, **CONFIG)


def count(nic):
    """Has the device say that it keeps all statistics. All are what they are, so that the drivers are told the same."""
    nic.order("body", **device_stats.QUERY, body=device_stats.capabilities(device_stats.RX | device_stats.TX | device_stats.CONTROL))
    for queue in range(2 * PAIRS + 1):
        for kind, counters in device_stats.types_of(queue, PAIRS).items():
            first = 1000 * queue + 10 * kind
            nic.order("count", entry=device_stats.entry(queue, kind, range(first, first + counters)).hex())
