# SPDX-License-Identifier: GPL-2.0
"""Packets for the guest as no host's kernel would pass them on: any header, before any bytes.

They enter at a filter in QEMU, behind the TAP, so what is in the header is what the driver reads.
"""

import socket
import struct

from lab import features

NEEDS_CSUM, DATA_VALID, UDP_TUNNEL_CSUM = 1, 2, 8
TCPV4, UFO, TCPV6, USO, TUNNEL4, TUNNEL6, ECN = 1, 3, 4, 5, 0x20, 0x40, 0x80
# How long the header is with any of these features.
SIZES = (
    (24, {"GUEST_UDP_TUNNEL_GSO", "HOST_UDP_TUNNEL_GSO"}),
    (20, {"HASH_REPORT"}),
    (12, {"MRG_RXBUF", "VERSION_1"}),
)
# A source that no other packet has.
MARK = "02:00:00:00:00:99"


def header(flags=0, gso_type=0, hdr_len=0, gso_size=0, start=0, offset=0):
    return struct.pack("<BBHHHH", flags, gso_type, hdr_len, gso_size, start, offset)


class Injector:
    """A way into a NIC, from when a driver has agreed with the device on how long a header is."""

    def __init__(self, guest, nic):
        path = f"{guest.folder.name}/{nic.id}-in"
        back_end = f"socket,id={nic.id}-in,path={path},server=on,wait=off"
        filters = f"filter-redirector,id={nic.id}-filter,netdev={nic.netdev_id},queue=tx"
        for command in (f"chardev-add {back_end}", f"object_add {filters},indev={nic.id}-in,vnet_hdr_support=on"):
            said = guest.qmp("human-monitor-command", command_line=command)
            assert not said, said
        negotiated = set(features.negotiated(guest, nic))
        self.header_size = next((size for size, names in SIZES if names & negotiated), 10)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, head, frame):
        head = head.ljust(self.header_size, b"\0")
        self.socket.sendall(struct.pack(">II", len(head) + len(frame), len(head)) + head + frame)
