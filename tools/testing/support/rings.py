# SPDX-License-Identifier: GPL-2.0
"""The sizes of a NIC's rings."""

import re


def sizes(guest, name):
    """What `ethtool -g` shows as the sizes now, and the largest."""
    text = guest.run(["ethtool", "-g", name]).stdout
    found = [int(size) for size in re.findall(r"^[RT]X:\s+(\d+)$", text, re.MULTILINE)]
    assert len(found) == 4, text
    return tuple(found[2:]), tuple(found[:2])


def resize(guest, name, rx, tx, check=True):
    return guest.run(["ethtool", "-G", name, "rx", rx, "tx", tx], check=check)
