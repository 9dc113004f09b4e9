# SPDX-License-Identifier: GPL-2.0
"""Runs the tests of the files that are named; the last line says how many passed and how many failed."""

import os
import sys
import time
from pathlib import Path

import pytest

from lab import timing
from lab.paths import LOGS, die
from pairs import Pairs
from sample import Sample

HERE = Path(__file__).parent
# Which variants of the tests are run.
VARIANTS = {"all": [], "pairs": [Pairs()], "some": [Sample()]}


class Count:
    """One outcome for each test: it failed if any part of it did, its clean-up included."""

    def __init__(self):
        self.outcomes = {}

    def pytest_runtest_logreport(self, report):
        known = self.outcomes.get(report.nodeid)
        if report.failed or known is None or (known == "passed" and report.skipped):
            self.outcomes[report.nodeid] = report.outcome

    def pytest_collectreport(self, report):
        if report.failed:
            self.outcomes[report.nodeid] = "failed"

    def number(self, outcome):
        return list(self.outcomes.values()).count(outcome)


def main():
    count = Count()
    time.sleep = timing.sleep
    wanted = os.environ.get("TEST")
    options = ["-v", "-rs", "--tb=short", "--durations=0", "--durations-min=0.5", "-p", "no:cacheprovider", "--rootdir", str(HERE)]
    variants = os.environ.get("VARIANTS", "pairs")
    if variants not in VARIANTS:
        die(f"VARIANTS={variants}: the variants are one of {', '.join(VARIANTS)}")
    plugins = [count, *VARIANTS[variants]]
    status = pytest.main([*options, *(["-k", wanted] if wanted else []), *(sys.argv[1:] or [str(HERE)])], plugins=plugins)
    timing.write(LOGS / timing.FILE)
    if status == pytest.ExitCode.NO_TESTS_COLLECTED:
        print(f"no test has a name that fits TEST={wanted}")
    print(f"logs: {os.environ['LAB_LOGDIR'].removeprefix('/src/')}")
    print(f"{count.number('passed')} passed, {count.number('failed')} failed", flush=True)
    return int(status)


sys.exit(main())
