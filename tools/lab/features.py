# SPDX-License-Identifier: GPL-2.0
"""The features that a device and its driver have agreed on, by the names in the kernel's own headers."""

import re
from functools import cache

from lab.paths import LINUX

HEADERS = ("virtio_net.h", "virtio_config.h", "virtio_ring.h")
DEFINE = re.compile(r"^#define\s+VIRTIO_(?:NET_|RING_)?F_(\w+)\s+(\d+)\b", re.MULTILINE)


@cache
def names():
    found = {}
    for header in HEADERS:
        for name, bit in DEFINE.findall((LINUX / "include/uapi/linux" / header).read_text()):
            if not name.startswith("TRANSPORT_"):
                found.setdefault(int(bit), name)
    return found


def bits(guest, nic):
    """The numbers of the negotiated features."""
    text = guest.read(f"/sys/bus/virtio/devices/{guest.virtio_device(nic)}/features").strip()
    return [bit for bit, value in enumerate(text) if value == "1"]


def negotiated(guest, nic):
    """The names of the negotiated features; one that the headers do not name is shown as its number."""
    return [names().get(bit, str(bit)) for bit in bits(guest, nic)]
