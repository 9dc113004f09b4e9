# SPDX-License-Identifier: GPL-2.0
"""Runs workloads in a guest whose instructions are counted."""

from contextlib import contextmanager

from bench import workloads, xdp, xsk
from bench.bed import Bed
from bench.counter import Counter
from bench.rows import COUNTED, EVENTS, Row
from lab.xdp import load

# The functions that each interrupt of a virtqueue and each notification goes through once.
ENTRIES = {"interrupts": "vring_interrupt", "kicks": "vp_notify"}


@contextmanager
def booted(kinds, ours, files, folder):
    """The guest with NICs of these kinds, ready for any workload."""
    # Those that XDP sends to are among them.
    chosen = {name: kind for name, kind in workloads.KINDS.items() if name in {*kinds, "queues"}}
    files = [*files, xdp.build(folder), xsk.build(folder)]
    with Bed(chosen, ours, files, folder, counter=Counter(folder)) as bed, bed.host_serves():
        # Before anybody asks for the addresses of functions.
        bed.guest.run(["modprobe", "-a", "pktgen", "sch_ingress", "cls_matchall", "act_gact"])
        # As many segments at a time as there can be, whatever the clock says of the path's speed.
        bed.guest.run("sysctl -qw net.ipv4.tcp_min_tso_segs=44")
        load(bed.guest)
        yield bed


def figures(bed, workload, side, entries):
    """What a unit of a workload costs: instructions, interrupts and notifications."""
    found = []
    for count in workload.counts:
        before = {what: bed.counter.entered(entry) for what, entry in entries.items()}
        cost = workload.run(bed, side, count)
        after = {what: bed.counter.entered(entry) - before[what] for what, entry in entries.items()}
        found.append({COUNTED: cost} | after)
    units = workload.counts[1] - workload.counts[0]
    return {what: (found[1][what] - found[0][what]) / units for what in found[0]}


def measure(bed, workload, entries):
    sides = bed.sides[workload.kind]
    for side in sides:
        workload.prepare(bed, side)
        # Memory is taken from lists that are empty at first.
        workload.run(bed, side, workload.counts[0])
    runs = [[figures(bed, workload, side, entries) for side in sides] for _ in range(workload.runs)]
    for side in sides:
        workload.finish(bed, side)
    for what in (COUNTED, *entries):
        c, ours = ([pair[i][what] for pair in runs] for i in range(2))
        yield Row.of(workload.name, COUNTED if what == COUNTED else EVENTS, f"{what}/{workload.unit}", c, ours)


def rows(chosen, extras, ours, files, folder):
    """The rows of workloads, and of `rest.IN_GUEST`."""
    kinds = {workload.kind for workload in chosen} | {kind for _, kind, _ in extras}
    with booted(kinds, ours, files, folder) as bed:
        symbols = bed.guest.run(["grep", "-wE", "|".join(ENTRIES.values()), "/proc/kallsyms"]).stdout
        addresses = {line.split()[2]: int(line.split()[0], 16) for line in symbols.splitlines()}
        entries = {what: addresses[name] for what, name in ENTRIES.items()}
        for workload in chosen:
            yield from measure(bed, workload, entries)
        for _, _, made in extras:
            yield from made(bed)


