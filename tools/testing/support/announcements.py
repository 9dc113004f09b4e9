# SPDX-License-Identifier: GPL-2.0
"""What a guest says of itself when it is in another place than before."""

import socket
import time
from contextlib import contextmanager

from lab import kernel
from support import exchange

ARP = 0x0806


@contextmanager
def arp_of(nic):
    """Yields a function that returns how many gratuitous ARP packets a NIC has sent since the last call."""
    own = socket.inet_aton(nic.guest4)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ARP)) as link:
        link.bind((nic.link, ARP))
        link.setblocking(False)

        def count():
            found = 0
            while True:
                try:
                    frame = link.recv(2048)
                except BlockingIOError:
                    return found
                # Who sends it and who is asked for have the same address.
                found += frame[6:12] == exchange.mac_bytes(nic.mac) and frame[28:32] == own == frame[38:42]

        yield count


def wait_for(count, limit=30):
    end = time.monotonic() + kernel.patient(limit)
    while not (found := count()):
        assert time.monotonic() < end, "the guest has not announced itself"
        time.sleep(0.05)
    return found
