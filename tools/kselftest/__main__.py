# SPDX-License-Identifier: GPL-2.0
"""`make kselftest`: runs the kernel's selftests with the C driver and with ours, and prints the table."""

import os
import sys
import tempfile
from contextlib import ExitStack

from kselftest import catalog, report
from kselftest.compare import best, compare, count
from kselftest.runner import Runner
from lab import accel
from lab import driver as drivers
from lab.paths import LOGS, RELEASE, REPO, die, shown


def progress(runner, test, done):
    print(f"{test.path} {runner.setup.name} {runner.label}: {count(done.results)}, {done.seconds} s", flush=True)


def tried(runners, test, attempt):
    runs = []
    for runner in runners:
        runs.append(runner.run(test, attempt))
        progress(runner, test, runs[-1])
    return runs


def judged(runners, test):
    """Runs a test with both drivers; one that is worse with ours is tried again, as some depend on luck."""
    c, ours = tried(runners, test, 1)
    verdict = compare(c.results, ours.results, test.timing)
    again = bool(verdict.worse)
    if again:
        second = tried(runners, test, 2)
        for first, then in zip((c, ours), second):
            first.results = best(first.results, then.results)
            first.ended = first.ended and then.ended
        verdict = compare(c.results, ours.results, test.timing)
    return report.Row(test, runners[0].setup, c, ours, verdict, again)


def compared(tests, ours):
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        files = ours.payload(folder)
        for setup in catalog.SETUPS:
            with ExitStack() as stack:
                runners = [
                    stack.enter_context(Runner("C", drivers.C, setup, ())),
                    stack.enter_context(Runner("ours", ours, setup, files)),
                ]
                rows += [judged(runners, test) for test in tests]
    return rows


def main(commit):
    tests = catalog.chosen(os.environ.get("KSELFTEST"))
    if not tests:
        die(f"no test has a path with {os.environ['KSELFTEST']} in it; {shown(REPO / 'tools/kselftest/catalog.py')} has all")
    ours = drivers.chosen()
    print(f"{len(tests)} tests on Linux {RELEASE}, {len(catalog.SETUPS)} setups, C and {ours.name}, on {accel.choose()}", flush=True)
    rows = compared(tests, ours)
    print(*report.terminal(rows), sep="\n")
    page = REPO / "build" / "kselftest.rst"
    page.write_text(report.document(rows, commit))
    print(f"\nlogs: {shown(LOGS)}, page: {shown(page)}")
    worse = sum(bool(row.verdict.worse) for row in rows)
    print(f"{len(rows) - worse} of {len(rows)} at least as with C, {worse} worse", flush=True)
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "unknown"))
