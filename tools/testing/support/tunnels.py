# SPDX-License-Identifier: GPL-2.0
"""VXLAN tunnels between a guest and the host."""

import itertools
from contextlib import contextmanager

from lab import host

PORT = 4789
# Ethernet, IPv6, UDP and VXLAN headers around a frame.
MTU = 1500 - 70
identifiers = itertools.count(100)


@contextmanager
def tunnel(guest, nic, six, checksums):
    """A tunnel with an end on each side, with checksums around its packets or not; gives the guest's addresses in it."""
    number = next(identifiers)
    near, far = (nic.host6, nic.guest6) if six else (nic.host4, nic.guest4)
    if six:
        options = "" if checksums else "udp6zerocsumtx udp6zerocsumrx"
    else:
        options = "udpcsum" if checksums else "noudpcsum"

    def commands(device, local, remote, end):
        return (
            f"ip link add vx{number} mtu {MTU} type vxlan id {number} dstport {PORT} {options} local {local} remote {remote} dev {device} && "
            f"ip address add 10.{number}.0.{end}/24 dev vx{number} && "
            f"ip address add fd00:{number}::{end}/64 dev vx{number} nodad && ip link set vx{number} up"
        )

    gone = f"ip link delete vx{number}"
    host.run("sh", "-c", commands(nic.tap, near, far, 1))
    try:
        guest.run(commands(guest.interface(nic), far, near, 2))
        try:
            yield f"10.{number}.0.2", f"fd00:{number}::2"
        finally:
            guest.run(gone)
    finally:
        host.run("sh", "-c", gone)
