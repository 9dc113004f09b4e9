# SPDX-License-Identifier: GPL-2.0
"""Runs the tests of rows with both drivers."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from lab.alone import ALONE, JOBS
from lab.paths import LOGS, die, shown


@dataclass(frozen=True)
class Outcome:
    """How a test has ended, what was wrong, and which rules the driver has broken meanwhile."""

    outcome: str
    messages: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()


def ask(label, driver, patterns):
    """How the tests with these patterns end with a driver, by name; without patterns, all tests that there are."""
    folder = LOGS / label
    folder.mkdir()
    request, answer = folder / "patterns.json", folder / "outcomes.json"
    request.write_text(json.dumps(patterns))
    environment = os.environ | {"DRIVER": driver, "LAB_LOGDIR": str(folder)}
    with open(folder / "tests.log", "w") as log:
        command = [*ALONE, sys.executable, "-m", "faults.child", request, answer]
        subprocess.run(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    if not answer.exists():
        die(f"the tests have not been run to their end; see {shown(folder / 'tests.log')}")
    found = json.loads(answer.read_text())
    return {name: Outcome(one["outcome"], tuple(one["messages"]), tuple(one["rules"])) for name, one in found.items()}


def said(label, driver, patterns):
    start = time.monotonic()
    outcomes = ask(label, driver, patterns)
    print(f"{label}: {len(outcomes)} tests, {time.monotonic() - start:.0f} s", flush=True)
    return outcomes


def with_ours(rows):
    return said("ours", "rust", [row.tests for row in rows])


def with_c(rows):
    """By row: one run for all that leave nothing behind, and one for each of the others."""
    together = [row for row in rows if not row.alone]
    common = said("c", "c", [row.tests_of_c for row in together]) if together else {}
    apart = [row for row in rows if row.alone]
    own = {row: said(f"c-{number}", "c", [row.tests_of_c]) for number, row in enumerate(apart, 1)}
    return {row: own.get(row, common) for row in rows}


def with_both(rows):
    """At the same time: what the tests wait for does not depend on how fast the machine is."""
    with ThreadPoolExecutor(JOBS) as pool:
        ours, c = pool.submit(with_ours, rows), pool.submit(with_c, rows)
        return ours.result(), c.result()
