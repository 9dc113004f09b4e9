# SPDX-License-Identifier: GPL-2.0
"""`make bench`: measures the C driver and ours, prints the table, and writes it and a picture to build/."""

import itertools
import os
import sys
import tempfile

from bench import chart, counting, rest, table, wall, workloads
from bench.about import about
from lab import driver as drivers
from lab.paths import REPO, die, shown


def main(commit):
    wanted = os.environ.get("BENCH", "")
    counted = [workload for workload in workloads.ALL if wanted in workload.name]
    extras = [extra for extra in rest.IN_GUEST if wanted in extra[0]]
    clocked = [workload for workload in wall.ALL if wanted in workload.name]
    text = wanted in rest.TEXT
    if not (counted or extras or clocked or text):
        die(f"no workload has a name with {wanted} in it; {shown(REPO / 'tools/bench/workloads.py')} has most")
    ours = drivers.RUST
    found = []
    with tempfile.TemporaryDirectory() as folder:
        files = ours.payload(folder)
        parts = []
        if counted or extras:
            parts.append(counting.rows(counted, extras, ours, files, folder))
        if clocked:
            parts.append(wall.rows(clocked, ours, files, folder))
        if text:
            parts.append([rest.text_row(files[0], folder)])
        for row in itertools.chain(*parts):
            print(table.short(row), flush=True)
            found.append(row)
    print("", *table.terminal(found), sep="\n")
    facts = about(commit)
    build = REPO / "build"
    (build / "bench.json").write_text(table.as_json(found, facts))
    (build / "bench.rst").write_text(table.as_rst(found, facts))
    (build / "bench.svg").write_text(chart.svg(found, facts))
    print("\n" + ", ".join(str(shown(build / f"bench.{kind}")) for kind in ("json", "rst", "svg")))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "unknown"))
