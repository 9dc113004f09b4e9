# SPDX-License-Identifier: GPL-2.0
"""UDP and TCP packets made and read by hand, for what no socket would send."""

import ipaddress
import struct

UDP, TCP = 17, 6
# Where the checksum is in the header.
CHECKSUM_AT = {UDP: 6, TCP: 16}


def ones_sum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def pseudo(source, target, protocol, length):
    source, target = ipaddress.ip_address(source).packed, ipaddress.ip_address(target).packed
    if len(source) == 4:
        return source + target + struct.pack(">BBH", 0, protocol, length)
    return source + target + struct.pack(">IHBB", length, 0, 0, protocol)


def ip_packet(source, target, protocol, transport, wrong=0, partial=False):
    """A packet around a transport header and payload, whose checksum is filled in, and off by `wrong`.

    A partial one is that of the pseudo header alone.
    """
    at = CHECKSUM_AT[protocol]
    head = pseudo(source, target, protocol, len(transport))
    if partial:
        checksum = ones_sum(head) ^ wrong
    else:
        total = ones_sum(head + transport[:at] + b"\0\0" + transport[at + 2 :])
        checksum = ((~total & 0xFFFF) or 0xFFFF) ^ wrong
    transport = transport[:at] + struct.pack(">H", checksum) + transport[at + 2 :]
    source, target = ipaddress.ip_address(source).packed, ipaddress.ip_address(target).packed
    if len(source) == 16:
        return struct.pack(">IHBB", 6 << 28, len(transport), protocol, 64) + source + target + transport
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(transport), 1, 0, 64, protocol, 0) + source + target
    return head[:10] + struct.pack(">H", ~ones_sum(head) & 0xFFFF) + head[12:] + transport


def udp(source_port, target_port, data):
    return struct.pack(">HHHH", source_port, target_port, 8 + len(data), 0) + data


def tcp(source_port, target_port, data, flags=0x10):
    """A segment of no connection, by default with the ACK flag alone."""
    return struct.pack(">HHIIBBHHH", source_port, target_port, 1000, 1000, 5 << 4, flags, 65535, 0, 0) + data


def syn(source_port, target_port):
    return struct.pack(">HHIIBBHHH", source_port, target_port, 1000, 0, 5 << 4, 2, 65535, 0, 0)


def frame(macs, ends, protocol, ports, data, partial=False):
    """An Ethernet frame. `macs` is target and source in hexadecimal, `ends` source and target of IP."""
    transport = (tcp if protocol == TCP else udp)(*ports, data)
    kind = b"\x86\xdd" if ":" in ends[0] else b"\x08\x00"
    return bytes.fromhex(macs) + kind + ip_packet(*ends, protocol, transport, partial=partial)


class Received:
    """What an Ethernet frame says, if it has UDP or TCP over IP without options."""

    def __init__(self, frame):
        kind = struct.unpack_from(">H", frame, 12)[0]
        packet = frame[14:]
        self.protocol = None
        if kind == 0x0800 and packet[0] == 0x45:
            size = struct.unpack_from(">H", packet, 2)[0]
            self.protocol, addresses, self.transport = packet[9], packet[12:20], packet[20:size]
        elif kind == 0x86DD:
            size = struct.unpack_from(">H", packet, 4)[0]
            self.protocol, addresses, self.transport = packet[6], packet[8:40], packet[40 : 40 + size]
        if self.protocol in CHECKSUM_AT:
            half = len(addresses) // 2
            self.source, self.target = (ipaddress.ip_address(a) for a in (addresses[:half], addresses[half:]))
            self.ports = struct.unpack_from(">HH", self.transport)
            self.start = len(frame) - len(packet) + packet.index(self.transport)

    def is_complete(self):
        """Whether the checksum is right."""
        return ones_sum(pseudo(self.source, self.target, self.protocol, len(self.transport)) + self.transport) == 0xFFFF

    def is_partial(self):
        """Whether the checksum is that of the pseudo header alone, for a device to add the rest."""
        found = struct.unpack_from(">H", self.transport, CHECKSUM_AT[self.protocol])[0]
        return found == ones_sum(pseudo(self.source, self.target, self.protocol, len(self.transport)))
