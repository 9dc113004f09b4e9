# SPDX-License-Identifier: GPL-2.0
"""Runs tests with one driver on one setup, and survives what they do to their guest."""

import time
from dataclasses import dataclass, field

from kselftest import ktap
from kselftest.compare import best
from kselftest.testbed import Testbed, kind
from lab import reports
from lab.agent import CommandFailed, GuestDied
from lab.paths import LOGS

# What this adds to the subtests of each test: whether the kernel had anything to complain about.
KERNEL = "(kernel log)"


@dataclass
class Run:
    """One test, run once. `ended` says why it did not end by itself, if so."""

    results: dict = field(default_factory=dict)
    ended: str = ""
    seconds: int = 0
    log: str = ""

    def clean(self):
        return not self.ended and ktap.FAIL not in self.results.values()

    def best(self, other):
        """The best of two runs of the same test."""
        return Run(best(self.results, other.results), self.ended and other.ended, self.seconds, self.log)


class Runner:
    """Keeps a guest for as long as the tests in it pass: what a failed one leaves would spoil the next."""

    def __init__(self, label, driver, files, setup):
        self.label, self.driver, self.setup, self.files = label, driver, setup, files
        self.bed = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._drop()

    def _need_bed(self, test):
        if self.bed and self.bed.kind != kind(test):
            self._drop()
        if not self.bed:
            bed = Testbed(self.driver, self.setup, self.files, test)
            bed.start()
            self.bed = bed
            bed.set_up()

    def _drop(self):
        if self.bed:
            self.bed.close()
            self.bed = None

    def run(self, test, attempt=1):
        name = f"{self.label}-{self.setup.name}-{test.path.replace('/', '-')}-{attempt}.log"
        log = LOGS / name
        done = Run(log=str(log))
        start = time.monotonic()
        status = None
        try:
            self._need_bed(test)
            self.bed.prepare(test)
            status = self.bed.run(test, log)
            if status is None:
                done.ended = f"not done within {test.limit} s"
        except GuestDied as error:
            self._lose(done, error)
        except CommandFailed as error:
            done.ended = f"the guest could not be set up: {error}"
        done.results = ktap.parse(log.read_text(errors="replace") if log.exists() else "", status)
        done.results[KERNEL] = self._kernel(done)
        done.seconds = round(time.monotonic() - start)
        if not done.clean():
            self._drop()
        return done

    def _lose(self, done, error):
        done.ended = f"the guest died: {error}"
        self._drop()

    def _kernel(self, done):
        """Puts the kernel's messages behind the output of the test, and judges them. A guest that is gone has none."""
        lines = []
        if self.bed:
            try:
                lines = self.bed.guest.kernel_messages()
            except GuestDied as error:
                self._lose(done, error)
        with open(done.log, "a") as log:
            print("\n--- kernel messages", *lines, sep="\n", file=log)
            if done.ended:
                print(f"--- {done.ended}", file=log)
        return ktap.PASS if self.bed and not reports.broken(lines) else ktap.FAIL
