# SPDX-License-Identifier: GPL-2.0
"""`make faults`: shows what becomes of each fault with the C driver and with ours, and fails where the table is not true."""

import os
import sys

from faults import page, runner, verdict
from faults.catalog import ROWS, RULES, RULES_BY_CHANCE
from lab.paths import LOGS, REPO, die, shown


def main(commit):
    word = os.environ.pop("TEST", "")
    rows = [row for row in ROWS if word in row.fault]
    if not rows:
        die(f"no fault has TEST={word} in it")
    ours, c = runner.with_both(rows)
    verdicts = [verdict.of(row, ours, c[row]) for row in rows]
    print(*page.terminal(verdicts), sep="\n")
    wrong = sum(not one.true for one in verdicts)
    print(f"\nlogs: {shown(LOGS)}")
    if not word:
        document = REPO / "build" / "faults.rst"
        document.write_text(page.document(verdicts, RULES | RULES_BY_CHANCE, commit))
        print(f"page: {shown(document)}")
        outcomes = [one for by_name in c.values() for one in by_name.values()]
        broken = list(verdict.rules(RULES, RULES_BY_CHANCE, outcomes))
        print(*broken, sep="\n", end="\n" if broken else "")
        wrong += len(broken)
    print(f"{len(rows)} rows, {wrong} not true", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "unknown"))
