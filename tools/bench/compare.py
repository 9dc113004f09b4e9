# SPDX-License-Identifier: GPL-2.0
"""Whether two runs of `make bench` say the same: `python3 -m bench.compare FIRST.json SECOND.json`.

What is counted has to repeat. Interrupts, notifications and what goes by the clock depend on timing, and are left out.
"""

import json
import sys
from pathlib import Path

from bench.rows import COUNTED

# How far the ratios of a row may be apart.
APART = 0.02


def counted(path):
    """The ratios of instructions, by workload and unit. What was unsteady is not among them."""
    rows = json.loads(Path(path).read_text())["rows"]
    return {f"{row['workload']}, {row['unit']}": row["ratio"] for row in rows if row["metric"] == COUNTED}


def apart(first, second):
    """How far each ratio is from that of the first run, in the order of size."""
    found = {name: abs(second[name] / first[name] - 1) for name in first.keys() & second.keys()}
    return dict(sorted(found.items(), key=lambda item: item[1]))


def differences(first, second):
    """What is not the same in two answers of `counted`, a line for each."""
    for name in sorted(first.keys() ^ second.keys()):
        yield f"{name}: a result in the {'first' if name in first else 'second'} run only"
    for name, far in apart(first, second).items():
        if far > APART:
            yield f"{name}: {first[name]:.3f} and {second[name]:.3f}, {far:.1%} apart"


def main(paths):
    first, second = map(counted, paths)
    found = list(differences(first, second))
    for line in found:
        print(line)
    both = list(apart(first, second).values())
    print(f"{len(both)} ratios in both runs, {max(both, default=0):.2%} apart at most; {len(found)} differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
