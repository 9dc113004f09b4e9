# SPDX-License-Identifier: GPL-2.0
"""`make profile`: where the instructions of a workload go, function by function, with C and with ours."""

import os
import sys
import tempfile
from collections import Counter as Tally

from bench import counting, symbols, workloads
from bench.about import about, sentence
from lab import driver as drivers
from lab.paths import REPO, die, shown

HEAD = ("C", "ours", "difference", "function")
DEFAULT = "receive 60 B, dropped at tc"
# Functions with less than this share are summed up.
SHARE = 0.002


def difference(before, after):
    """The blocks of code that were entered between two answers of `Counter.blocks`, and how often."""
    return {block: count - before.get(block, 0) for block, count in after.items() if count != before.get(block, 0)}


def by_function(blocks, names):
    """Instructions by the function and module that they are in."""
    tally = Tally()
    for (address, length), count in blocks.items():
        tally[names.at(address)] += length * count
    return tally


def measured(bed, workload, side, names):
    """Instructions of one unit of a workload, by function."""
    tallies = []
    for count in workload.counts:
        before = bed.counter.blocks()
        workload.run(bed, side, count)
        tallies.append(by_function(difference(before, bed.counter.blocks()), names))
    short, long = tallies
    units = workload.counts[1] - workload.counts[0]
    return {name: (long[name] - short[name]) / units for name in long}


def title(name):
    function, module = name
    return f"{function} [{module}]" if module else function


def lines(c, ours):
    """The table, the most expensive function first; then the sums of the drivers themselves and of all."""
    total = sum(c.values()), sum(ours.values())
    cost = {name: (c.get(name, 0), ours.get(name, 0)) for name in {*c, *ours}}
    shown_ones = [name for name, pair in cost.items() if max(pair) >= SHARE * max(total)]
    shown_ones.sort(key=lambda name: (-max(cost[name]), name))
    rest = tuple(total[i] - sum(cost[name][i] for name in shown_ones) for i in range(2))
    driver = tuple(
        sum(pair[i] for (_, module), pair in cost.items() if module in (drivers.C.name, drivers.RUST.name))
        for i in range(2)
    )
    rows = [(title(name), cost[name]) for name in shown_ones]
    rows += [("(all others)", rest), ("(all of the driver's own)", driver), ("(all)", total)]
    texts = [(f"{c:.1f}", f"{own:.1f}", f"{own - c:+.1f}", name) for name, (c, own) in rows]
    widths = [max(map(len, column)) for column in zip(*texts, HEAD)]
    for row in (HEAD, *texts):
        numbers = [text.rjust(width) for text, width in zip(row[:3], widths)]
        yield "  ".join([*numbers, row[3]])


def main(commit):
    wanted = os.environ.get("BENCH", DEFAULT)
    workload = next((workload for workload in workloads.ALL if wanted in workload.name), None)
    if not workload:
        die(f"no workload has a name with {wanted} in it; {shown(REPO / 'tools/bench/workloads.py')} has all")
    with tempfile.TemporaryDirectory() as folder:
        files = drivers.RUST.payload(folder)
        with counting.booted({workload.kind}, drivers.RUST, files, folder) as bed:
            sides = bed.sides[workload.kind]
            names = symbols.Symbols(symbols.fetch(bed.guest, sides[0].nic))
            for side in sides:
                workload.prepare(bed, side)
            c, ours = (measured(bed, workload, side, names) for side in sides)
    head = [f"{workload.name}: instructions by {workload.unit}", sentence(about(commit)), ""]
    text = "\n".join([*head, *lines(c, ours)])
    print(text)
    page = REPO / "build" / "profile.txt"
    page.write_text(text + "\n")
    print(f"\n{shown(page)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "unknown"))
