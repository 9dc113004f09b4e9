# SPDX-License-Identifier: GPL-2.0
"""`make kselftest`: runs the kernel's selftests with the C driver and with ours, and prints the table."""

import os
import sys
import tempfile

from kselftest import catalog, report, saved
from kselftest.compare import count
from kselftest.report import Row
from kselftest.runner import Runner
from lab import accel
from lab import driver as drivers
from lab.paths import LOGS, RELEASE, REPO, die, shown


class Comparison:
    """The tests on one setup: first all with C, then all with ours, with one guest at a time."""

    def __init__(self, setup, ours, files):
        self.setup = setup
        self.drivers = {"C": (drivers.C, ()), "ours": (ours, files)}

    def run(self, label, tests, attempt):
        runs = []
        with Runner(label, *self.drivers[label], self.setup) as runner:
            for test in tests:
                done = runner.run(test, attempt)
                print(f"{self.setup.name} {label}: {test.path}: {count(done.results)}, {done.seconds} s", flush=True)
                runs.append(done)
        return runs

    def rows(self, tests):
        """A test that is worse with ours is tried again with both, as some depend on luck."""
        known = os.environ.get("KSELFTEST_C")
        c = saved.load(self.setup, tests, known) if known else self.run("C", tests, 1)
        rows = [Row.judged(test, self.setup, *runs) for test, *runs in zip(tests, c, self.run("ours", tests, 1))]
        again = [row for row in rows if row.verdict.worse]
        second = [self.run(label, [row.test for row in again], 2) for label in self.drivers]
        for row, *runs in zip(again, *second):
            row.try_again(*runs)
        saved.save(self.setup, tests, [row.c for row in rows])
        return rows


def main(commit):
    tests = catalog.chosen(os.environ.get("KSELFTEST"))
    if not tests:
        die(f"no test has a path with {os.environ['KSELFTEST']} in it; {shown(REPO / 'tools/kselftest/catalog.py')} has all")
    ours = drivers.chosen()
    rows = []
    what = f"{len(tests)} tests on Linux {RELEASE}, {len(catalog.SETUPS)} setups, C and {ours.name}, on {accel.choose()}"
    print(what, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        files = ours.payload(folder)
        for setup in catalog.SETUPS:
            rows += Comparison(setup, ours, files).rows(tests)
    print(*report.terminal(rows), sep="\n")
    page = REPO / "build" / "kselftest.rst"
    page.write_text(report.document(rows, commit))
    print(f"\nlogs: {shown(LOGS)}, page: {shown(page)}")
    worse = sum(bool(row.verdict.worse) for row in rows)
    print(f"{len(rows) - worse} of {len(rows)} at least as with C, {worse} worse", flush=True)
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "unknown"))
