# SPDX-License-Identifier: GPL-2.0
"""The hash that a device computes of a packet (virtio 1.3, section 5.1.6.4.3.3)."""

import ipaddress
import struct


def toeplitz(key, data):
    """The exclusive or of the 32 bits of the key that start at each bit that is set in the data."""
    window, bits = int.from_bytes(key, "big"), 8 * len(key)
    found = 0
    for i in range(8 * len(data)):
        if data[i // 8] >> 7 - i % 8 & 1:
            found ^= window >> bits - 32 - i & 0xFFFFFFFF
    return found


def of_addresses(key, source, target):
    return toeplitz(key, ipaddress.ip_address(source).packed + ipaddress.ip_address(target).packed)


def of_ports(key, source, target, ports):
    ends = ipaddress.ip_address(source).packed + ipaddress.ip_address(target).packed
    return toeplitz(key, ends + struct.pack(">HH", *ports))
