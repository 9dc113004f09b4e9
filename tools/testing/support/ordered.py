# SPDX-License-Identifier: GPL-2.0
"""Packets that a device of our own has the guest receive, and what the guest sends back."""

import time

from lab import device, features
from support import exchange, peer

SOURCE = bytes.fromhex("020000000099")


def made(names, pairs=1, **config):
    """A device that offers the features of these names."""
    numbers = {name: number for number, name in features.names().items()}
    return device.Device([numbers[name] for name in names.split()], pairs, **config)


def frame(nic, length, seed=0):
    """One that the peer in the guest sends back: of `length` bytes, 14 of them for the Ethernet header."""
    head = exchange.mac_bytes(nic.mac) + SOURCE + peer.ETHERTYPE.to_bytes(2, "big")
    return head + peer.content(seed or length, length - len(head))


def answer(received):
    """What the peer makes of it."""
    return SOURCE + received[:6] + received[12:]


def receive(nic, data, queue=0, within=0, **order):
    """Has the guest receive a packet, and returns how many buffers it took: 0 if there were too few, also `within` so many seconds.
    `order` has `header` and `most`."""
    limit = time.monotonic() + within
    while not (buffers := nic.order("receive", queue=queue, bytes=data.hex(), **order)) and time.monotonic() < limit:
        time.sleep(0.02)
    return buffers


def sent(nic, *wanted):
    """Waits until the guest has sent all these packets, in any order; returns their queues and headers."""
    found = {}
    limit = time.monotonic() + exchange.TIMEOUT
    while not all(data in found for data in wanted):
        assert time.monotonic() < limit, f"the guest did not send {[len(data) for data in wanted if data not in found]} bytes"
        for queue, packet in nic.order("sent"):
            found[bytes.fromhex(packet["bytes"])] = queue, packet["header"]
        time.sleep(0.02)
    return [found[data] for data in wanted]


def commands(nic):
    """What the device has been told since the last call: the class and code of each command, and its body."""
    return [((one["class"], one["code"]), one["body"]) for one in nic.order("commands")]


def forget_commands(nic):
    """Has the next call of commands() say only what follows."""
    nic.order("commands")


def echo(nic, length, queue=0, seed=0, **order):
    """A packet there and back; returns how many buffers it took."""
    data = frame(nic, length, seed)
    buffers = receive(nic, data, queue, **order)
    assert buffers > 0, "the driver has lent too few buffers"
    sent(nic, answer(data))
    return buffers
