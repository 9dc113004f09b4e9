# SPDX-License-Identifier: GPL-2.0
"""What a clock says: the drivers in turn, since the machine is shared and its speed changes."""

import time
from dataclasses import dataclass
from collections.abc import Callable

from bench.bed import Bed
from bench.rows import LATENCY, THROUGHPUT, Row
from lab import traffic

KINDS = {"one": {}, "four": {"queues": 4}}
# What else the machine does changes a figure by a fifth or more, so that many short turns say more than few long ones.
STREAMS, SECONDS = 29, 1
EXCHANGES, TRANSACTIONS = 91, 500


@dataclass(frozen=True)
class Clocked:
    """run(bed, side) returns the figure; `pairs` is how often each driver has its turn."""

    name: str
    metric: str
    unit: str
    kind: str
    run: Callable
    pairs: int


def iperf3(name, kind, to_guest, *options):
    def run(bed, side):
        _, rate = traffic.transfer(bed.guest, side.nic, to_guest, *options, seconds=SECONDS)
        return rate / 1e6

    return Clocked(name, THROUGHPUT, "Mbit/s", kind, run, STREAMS)


def transactions(name, what):
    def run(bed, side):
        start = time.monotonic()
        bed.from_host(what, side.nic.guest4, TRANSACTIONS)
        return (time.monotonic() - start) / TRANSACTIONS * 1e6

    return Clocked(name, LATENCY, "us/transaction", "one", run, EXCHANGES)


ALL = (
    iperf3("iperf3 TCP from the guest", "one", False),
    iperf3("iperf3 TCP to the guest", "one", True),
    iperf3("iperf3 TCP from the guest, 4 queues", "four", False, "-P", 4),
    iperf3("iperf3 TCP to the guest, 4 queues", "four", True, "-P", 4),
    transactions("TCP_RR by the clock", "tcp-rr"),
    transactions("UDP_RR by the clock", "udp-rr"),
)


def pair(bed, clocked, sides, turn):
    """The figures of C and of ours. Each comes first in every other turn, should the machine become slower meanwhile."""
    if turn % 2:
        return [clocked.run(bed, side) for side in sides]
    return [clocked.run(bed, side) for side in reversed(sides)][::-1]


def rows(chosen, ours, files, folder):
    kinds = {name: kind for name, kind in KINDS.items() if name in {clocked.kind for clocked in chosen}}
    with Bed(kinds, ours, files, folder) as bed:
        for clocked in chosen:
            sides = bed.sides[clocked.kind]
            # The first is not counted: ARP, caches, and translation by QEMU.
            runs = [pair(bed, clocked, sides, turn) for turn in range(1 + clocked.pairs)][1:]
            c, own = zip(*runs)
            yield Row.of(clocked.name, clocked.metric, clocked.unit, c, own)
