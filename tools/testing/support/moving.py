# SPDX-License-Identifier: GPL-2.0
"""A guest that moves to another place while packets flow."""

import threading

from support import exchange

SIZE = 1 << 20


def streams(address, moved, failures):
    """TCP both ways, byte for byte, one after the other until the guest has moved: one of them is on the way then."""
    try:
        while True:
            last = moved.is_set()
            exchange.tcp_to_guest(address, SIZE)
            exchange.tcp_from_guest(address, SIZE)
            if last:
                return
    except (OSError, AssertionError) as error:
        failures.append((address, error))


def under_traffic(guest, nics, move):
    """Moves the guest under traffic of all kinds through some of its NICs; returns what `move` does. There are peers at both ends."""
    moved, failures = threading.Event(), []
    threads = [threading.Thread(target=streams, args=(nic.guest4, moved, failures)) for nic in nics]
    with exchange.flooded(guest, nics[0]):
        for thread in threads:
            thread.start()
        try:
            found = move()
        finally:
            moved.set()
            for thread in threads:
                thread.join()
    assert not failures
    return found
