# SPDX-License-Identifier: GPL-2.0
"""`make check` and `make check-device`: run files of tests, several at a time, each with a network, processes, a /tmp and logs
of its own. The last line says how many tests passed and how many failed.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

import spent
from lab import build, kernel, qemu, timing
from lab.alone import ALONE, JOBS
from lab.paths import LOGS, die, shown

HERE = Path(__file__).parent
# One more with the stock kernel, whose guests wait for a fifth of the time of a file.
AT_ONCE = JOBS + (kernel.chosen() is kernel.STOCK)
RUN = HERE / "run.py"
SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed$")
SKIPPED = re.compile(r"^SKIPPED \[(\d+)\]")
FAILURES = re.compile(r"^=+ (ERRORS|FAILURES) =+$", re.MULTILINE)
# Those that take longest, which are begun first.
LONG = {
    "test_bench",
    "test_checksums",
    "test_commands",
    "test_device_config",
    "test_device_hashes",
    "test_device_leaks",
    "test_device_queue_reset",
    "test_device_receive",
    "test_device_reconfigure",
    "test_device_status",
    "test_device_suspend",
    "test_device_transmit",
    "test_guest",
    "test_injection",
    "test_installed",
    "test_installed_anew",
    "test_installed_kernels",
    "test_installed_network",
    "test_installed_remote",
    "test_layers",
    "test_life_cycle",
    "test_machines",
    "test_orphans",
    "test_queues",
    "test_quiet_commands",
    "test_rings",
    "test_rss",
    "test_source",
    "test_stress",
    "test_suspend",
    "test_transmit",
    "test_unit",
}


@dataclass(frozen=True)
class Result:
    """What became of a file; `again` is to be said once more in the end: what was skipped, or how it failed."""

    name: str
    seconds: float
    passed: int
    failed: int
    skipped: int = 0
    again: str = ""
    times: dict = field(default_factory=dict)


def run(path, environment):
    """Runs a file, and once more if it failed and a guest of it has stumbled."""
    logs = LOGS / path.stem
    first = attempt(path, environment, logs)
    stumbled = first.failed and next(filter(None, map(qemu.stumbled, logs.glob("*.console"))), None)
    if not stumbled:
        return first
    said = f"{path.stem}: run again, a guest has died of QEMU ({stumbled})\n"
    second = attempt(path, environment, LOGS / f"{path.stem}-again")
    return replace(second, seconds=first.seconds + second.seconds, again=said + second.again)


def attempt(path, environment, logs):
    """Runs a file, and prints what it said when it has ended."""
    name = path.stem
    logs.mkdir()
    start = time.monotonic()
    done = subprocess.run(
        [*ALONE, sys.executable, RUN, path],
        env=environment | {"LAB_LOGDIR": str(logs)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    seconds = time.monotonic() - start
    print(done.stdout, end="", flush=True)
    lines = done.stdout.splitlines()
    summary = SUMMARY.match(lines[-1]) if lines else None
    if not summary:
        return Result(name, seconds, 0, 1, again=f"{name}: the tests did not come to an end, with status {done.returncode}\n")
    said = FAILURES.search(done.stdout)
    skipped = [line for line in lines if SKIPPED.match(line)]
    again = done.stdout[said.start() :] if said else "".join(f"{line}\n" for line in skipped)
    number = sum(int(SKIPPED.match(line)[1]) for line in skipped)
    return Result(name, seconds, *map(int, summary.groups()), number, again, timing.read(logs / timing.FILE))


class Fitting:
    """A plugin of pytest's that notes which files have tests to run. It is not said here why one cannot be read."""

    def __init__(self):
        self.files = set()

    def pytest_collection_finish(self, session):
        self.files |= {item.path for item in session.items}

    def pytest_collectreport(self, report):
        if report.failed:
            self.files.add(HERE / Path(report.fspath).name)


def fitting(paths, wanted):
    """Those of the files that have tests whose names fit."""
    found = Fitting()
    pytest.main(["--collect-only", "-p", "no:terminal", "-p", "no:cacheprovider", "-k", wanted, *map(str, paths)], plugins=[found])
    return [path for path in paths if path in found.files]


def files(patterns):
    """Those whose names fit, the long ones first."""
    found = {pattern: set(HERE.glob(pattern)) for pattern in patterns}
    for pattern in patterns:
        if not found[pattern]:
            die(f"there is no file {pattern} in {HERE.name}")
    return sorted(set().union(*found.values()), key=lambda path: (path.stem not in LONG, path))


def minutes(seconds):
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def main(patterns):
    start = time.monotonic()
    paths = files(patterns)
    if wanted := os.environ.get("TEST"):
        chosen = fitting(paths, wanted)
        if len(chosen) < 2:
            # What a single one says can be seen at once; of none, it says so.
            os.execv(sys.executable, [sys.executable, RUN, *(chosen or paths)])
        paths = chosen
    # Once, so that no file waits for another one's build.
    with tempfile.TemporaryDirectory() as folder:
        build.build_into(folder)
    # Also once, by the first file that wants it: the module with fault points.
    built = LOGS / "built"
    built.mkdir()
    environment = os.environ | {"SOURCES": str(build.place()), "BUILT": str(built)}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(lambda path: run(path, environment), paths))
    print(*(result.again for result in results), sep="", end="")
    print(*spent.table([(result.name, result.seconds, result.times) for result in results]), sep="\n")
    passed, failed, skipped = (sum(getattr(result, what) for result in results) for what in ("passed", "failed", "skipped"))
    print(f"all of it took {minutes(time.monotonic() - start)}\nlogs: {shown(LOGS)}\n{skipped} skipped")
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
