# SPDX-License-Identifier: GPL-2.0
"""Builds the module against the lab's kernel tree."""

import fcntl
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from lab.paths import LINUX, LOGS, REPO, die, shown

MODULE = "virtio_net_rust.ko"


@contextmanager
def tree_lock():
    """Two builds in the same tree would spoil each other: the second waits for the first."""
    (REPO / "build").mkdir(exist_ok=True)
    with open(REPO / "build" / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make(folder, *variables):
    """Runs `make` in a folder that has the sources. Its output goes to the screen."""
    return subprocess.run(["make", "--no-print-directory", "-C", folder, f"KDIR={LINUX}", "-j2", *variables]).returncode


def build_into(folder):
    """Builds the module quietly and puts it into `folder`."""
    log = LOGS / "build.log"
    with tree_lock(), open(log, "w") as output:
        done = subprocess.run(
            ["make", "--no-print-directory", "-C", REPO, f"KDIR={LINUX}", "-j2"],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        if done.returncode != 0:
            sys.stdout.write(log.read_text())
            die(f"the module does not build; see {shown(log)}")
        return Path(shutil.copy(REPO / MODULE, folder))


if __name__ == "__main__":
    with tree_lock():
        sys.exit(make(REPO, *sys.argv[1:]))
