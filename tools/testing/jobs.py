# SPDX-License-Identifier: GPL-2.0
"""`make check-device`: runs files of tests, two at a time, each with a network, a /tmp and logs of its own.

A guest of the debug kernel keeps one processor busy and no more. There, not all variants of each test are run.
"""

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import build, kernel
from lab.paths import LOGS, die

HERE = Path(__file__).parent
JOBS = 2
SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed$")
FAILURES = re.compile(r"^=+ (ERRORS|FAILURES) =+$", re.MULTILINE)
# Those that take longest, which are begun first.
LONG = {
    "test_commands",
    "test_device_config",
    "test_device_hashes",
    "test_device_leaks",
    "test_device_receive",
    "test_device_status",
    "test_device_transmit",
}
ALONE = ["unshare", "--net", "--mount", "sh", "-ec", 'mount -t sysfs sysfs /sys; mount -t tmpfs tmpfs /tmp; exec "$@"', "sh"]


def run(name, environment):
    """Runs a file; prints what it said when it has ended. Returns how many tests passed, how many failed, and what of it
    is to be said once more in the end: what was skipped, and how it failed."""
    logs = LOGS / name
    logs.mkdir()
    command = [*ALONE, sys.executable, HERE / "run.py", HERE / f"{name}.py"]
    done = subprocess.run(
        command, env=environment | {"LAB_LOGDIR": str(logs)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    print(done.stdout, end="", flush=True)
    lines = done.stdout.splitlines()
    summary = SUMMARY.match(lines[-1]) if lines else None
    if not summary:
        return 0, 1, f"{name}: the tests did not come to an end, with status {done.returncode}\n"
    passed, failed = map(int, summary.groups())
    said = FAILURES.search(done.stdout)
    skipped = [f"{line}\n" for line in lines if line.startswith("SKIPPED ")]
    return passed, failed, done.stdout[said.start() :] if said else "".join(skipped)


def files(patterns):
    """The names of those that fit."""
    found = {pattern: {path.stem for path in HERE.glob(pattern)} for pattern in patterns}
    for pattern in patterns:
        if not found[pattern]:
            die(f"there is no file {pattern} in {HERE.name}")
    return sorted(set().union(*found.values()), key=lambda name: (name not in LONG, name))


def main(patterns):
    names = files(patterns)
    # Once, so that no file waits for another one's build.
    with tempfile.TemporaryDirectory() as folder:
        build.build_into(folder)
    variants = "all" if kernel.chosen() is kernel.STOCK else "some"
    environment = {"VARIANTS": variants} | os.environ | {"SOURCES": str(build.place())}
    with ThreadPoolExecutor(JOBS) as pool:
        results = list(pool.map(lambda name: run(name, environment), names))
    for *_, again in results:
        print(again, end="")
    passed, failed = (sum(result[place] for result in results) for place in (0, 1))
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
