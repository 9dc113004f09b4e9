# SPDX-License-Identifier: GPL-2.0
"""`make kselftest`: runs the kernel's selftests with the C driver and with ours, and prints the table."""

import os
import sys
import tempfile

from kselftest import catalog, report, saved
from kselftest.job import C, LABELS, OURS, Jobs
from kselftest.report import Row
from lab import accel
from lab import driver as drivers
from lab.paths import LOGS, RELEASE, REPO, die, shown


def first(tests, jobs):
    """Runs of all tests, by setup, driver and test. Those with C may be known from before."""
    pairs = [(setup, test) for setup in catalog.SETUPS for test in tests]
    if not (folder := os.environ.get("KSELFTEST_C")):
        return jobs.first(pairs, LABELS)
    known = [(setup, zip(tests, saved.load(setup, tests, folder))) for setup in catalog.SETUPS]
    return jobs.first(pairs, [OURS]) | {(setup.name, C, test.path): run for setup, runs in known for test, run in runs}


def both(found, setup, test):
    return [found[setup.name, label, test.path] for label in LABELS]


def compared(tests, jobs):
    """The rows. A test that is worse with ours is tried again with both, as some depend on luck."""
    found = first(tests, jobs)
    rows = [Row.judged(test, setup, *both(found, setup, test)) for setup in catalog.SETUPS for test in tests]
    again = [row for row in rows if row.verdict.worse]
    found = jobs.again([(row.setup, row.test) for row in again], LABELS)
    for row in again:
        row.try_again(*both(found, row.setup, row.test))
    for setup in catalog.SETUPS:
        saved.save(setup, tests, [row.c for row in rows if row.setup is setup])
    return rows


def main(commit):
    tests = catalog.chosen(os.environ.get("KSELFTEST"))
    if not tests:
        die(f"no test has a path with {os.environ['KSELFTEST']} in it; {shown(REPO / 'tools/kselftest/catalog.py')} has all")
    ours = drivers.chosen()
    what = f"{len(tests)} tests on Linux {RELEASE}, {len(catalog.SETUPS)} setups, C and {ours.name}, on {accel.choose()}"
    print(what, flush=True)
    # Not in a /tmp: each job has another one.
    with tempfile.TemporaryDirectory(dir=LOGS) as folder:
        rows = compared(tests, Jobs(ours.payload(folder)))
    print(*report.terminal(rows), sep="\n")
    page = REPO / "build" / "kselftest.rst"
    page.write_text(report.document(rows, commit))
    print(f"\nlogs: {shown(LOGS)}, page: {shown(page)}")
    worse = sum(bool(row.verdict.worse) for row in rows)
    print(f"{len(rows) - worse} of {len(rows)} at least as with C, {worse} worse", flush=True)
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "unknown"))
