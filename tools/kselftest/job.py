# SPDX-License-Identifier: GPL-2.0
"""Tests that run one after the other, with one driver on one setup: job.py REQUEST ANSWER, both files of JSON.

It is a process with a network of its own, so that another one can run at the same time.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from kselftest import catalog
from kselftest.compare import count
from kselftest.runner import Run, Runner
from lab import driver as drivers
from lab.alone import ALONE, JOBS
from lab.paths import LOGS, die, shown

C, OURS = LABELS = ("C", "ours")


@dataclass(frozen=True)
class Job:
    """`attempt` is which one of the tests it is; `files` are those that our driver needs in a guest."""

    setup: str
    label: str
    tests: tuple[str, ...]
    attempt: int
    files: tuple[str, ...]

    def run(self, name):
        """The runs of the tests, in their order, from a process that has a folder of logs with this name."""
        folder = LOGS / name
        folder.mkdir()
        request, answer = folder / "job.json", folder / "runs.json"
        request.write_text(json.dumps(asdict(self)))
        environment = os.environ | {"LAB_LOGDIR": str(folder)}
        subprocess.run([*ALONE, sys.executable, "-m", "kselftest.job", request, answer], env=environment)
        if not answer.exists():
            die(f"{name}: the tests did not come to an end; logs: {shown(folder)}")
        return [Run(**run) for run in json.loads(answer.read_text())]

    def done(self):
        """The same, in this process."""
        [setup] = [setup for setup in catalog.SETUPS if setup.name == self.setup]
        driver, files = (drivers.C, ()) if self.label == C else (drivers.chosen(), self.files)
        with Runner(self.label, driver, files, setup) as runner:
            for test in catalog.named(self.tests):
                run = runner.run(test, self.attempt)
                print(f"{self.setup} {self.label}: {test.path}: {count(run.results)}, {run.seconds} s", flush=True)
                yield run


class Jobs:
    """Runs tests for pairs of a setup and a test, each with the drivers that are named."""

    def __init__(self, files):
        self.files = tuple(map(str, files))

    def _of(self, setup, label, pairs, attempt):
        tests = tuple(test.path for one, test in pairs if one is setup)
        return Job(setup.name, label, tests, attempt, self.files)

    def run(self, name, pairs, labels, attempt=1, at_once=1):
        """Runs by the names of setup and driver and the path of the test. Those of a setup and a driver share a guest."""
        jobs = [self._of(setup, label, pairs, attempt) for setup in catalog.SETUPS for label in labels]
        jobs = [job for job in jobs if job.tests]
        with ThreadPoolExecutor(at_once) as pool:
            done = pool.map(lambda job: job.run(f"{job.setup}-{job.label}-{name}"), jobs)
            return {(job.setup, job.label, path): run for job, runs in zip(jobs, done) for path, run in zip(job.tests, runs)}

    def first(self, pairs, labels):
        """Two guests at a time, except where a test is to have the machine for itself."""
        beside = [(setup, test) for setup, test in pairs if not test.alone]
        alone = [(setup, test) for setup, test in pairs if test.alone]
        return self.run("beside", beside, labels, at_once=JOBS) | self.run("alone", alone, labels)

    def again(self, pairs, labels):
        return self.run("again", pairs, labels, attempt=2)


def main(request, answer):
    asked = json.loads(Path(request).read_text())
    runs = [asdict(run) for run in Job(**asked).done()]
    Path(answer).write_text(json.dumps(runs))


if __name__ == "__main__":
    main(*sys.argv[1:])
