# SPDX-License-Identifier: GPL-2.0
"""Frames of each kind that a device of our own hashes, and what the guest is to see of them."""

import json
import re
import socket
import struct
import time
from pathlib import Path

from lab.agent import PYTHON
from support import exchange, flows, packets, toeplitz

FLOWS = Path(flows.__file__)
TCP, UDP, OTHER = 6, 17, 253
KINDS = [(six, protocol) for six in (False, True) for protocol in (TCP, UDP, OTHER)]


def frame(nic, number, six, protocol, ports, extension=b""):
    """One that flows.py knows by its number; `extension` is an extension header of IPv6 less its first byte."""
    ends = (nic.host6, nic.guest6) if six else (nic.host4, nic.guest4)
    data = (packets.tcp if protocol == TCP else packets.udp)(*ports, b"flow")
    packet = packets.ip_packet(*ends, TCP if protocol == TCP else UDP, data)
    if protocol == OTHER:
        at = 6 if six else 9
        packet = packet[:at] + bytes([OTHER]) + packet[at + 1 :]
    if extension:
        head = packet[:4] + struct.pack(">HB", len(packet) - 40 + 1 + len(extension), 0) + packet[7:40]
        packet = head + packet[6:7] + extension + packet[40:]
    source = b"\x02\0\0\0" + struct.pack(">H", number)
    return exchange.mac_bytes(nic.mac) + source + (b"\x86\xdd" if six else b"\x08\x00") + packet


def hashed(nic, key, six, protocol, ports):
    """The hash of all there is."""
    ends = (nic.host6, nic.guest6) if six else (nic.host4, nic.guest4)
    return toeplitz.of_addresses(key, *ends) if protocol == OTHER else toeplitz.of_ports(key, *ends, ports)


def rxfh(guest, nic):
    """The table and the key, as ethtool shows them."""
    text = guest.run(["ethtool", "-x", guest.interface(nic)]).stdout
    table = [int(word) for line in re.findall(r"^ +\d+: (.*)$", text, re.MULTILINE) for word in line.split()]
    return table, bytes.fromhex(re.search(r"RSS hash key:\n(.*)", text)[1].replace(":", ""))


def send(nic, frames):
    """From the host's side, through the TAP."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as link:
        link.bind((nic.tap, 0))
        for data in frames:
            link.send(data)


def missing(guest, nic, sent, wanted):
    """The numbers of the frames that do not come with the hash and the queue that are wanted."""
    path = "/tmp/flows.json"
    guest.put(path, json.dumps(wanted))
    left = set(range(len(sent)))
    argv = [*PYTHON, f"/payload/{FLOWS.name}", guest.interface(nic), path]
    with guest.spawn(argv) as looking:
        looking.says("ready")
        send(nic, sent)
        limit = time.monotonic() + exchange.TIMEOUT
        while left and time.monotonic() < limit:
            left -= {int(line) for line in looking.output().splitlines()[1:]}
            time.sleep(0.02)
    return left
