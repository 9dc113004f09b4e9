# SPDX-License-Identifier: GPL-2.0
"""Builds the module against the tree of the kernel that guests run."""

import fcntl
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from lab import kernel, timing
from lab.paths import LOGS, REPO, die, shown

MODULE = "virtio_net_rust.ko"
SOURCES = ("CHANGELOG.md", "Kbuild", "Makefile", "rust", "drivers", "tools/lab", "tools/testing/pair", "tools/testing/misuse")
RELEASE = ".tmp_release"
BUILT = shutil.ignore_patterns("*.o", "*.cmd", "*.rmeta", "*.bc", "*.d", "*_generated.rs", "blocklist")


@contextmanager
def lock(folder):
    """Whoever wants it next waits."""
    folder.mkdir(exist_ok=True)
    with open(folder / "lock", "w") as file:
        with timing.of("build"):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def tree_lock():
    """Two builds in the same tree would spoil each other: the second waits for the first."""
    return lock(REPO / "build")


def copy_sources(folder, built=False):
    """Those that are built, in SOURCES if somebody has put them there; with what has been built of them, if that is wanted:
    then only what differs is built again."""
    origin = Path(os.environ.get("SOURCES", REPO))
    shutil.rmtree(folder, ignore_errors=True)
    for name in SOURCES:
        source, target = origin / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=None if built else BUILT)
        else:
            shutil.copy2(source, target)
    # Without it the Makefile takes what has been built for that of another kernel.
    if built and (origin / RELEASE).exists():
        shutil.copy2(origin / RELEASE, folder)


def place():
    """The folder to build in: the repository for the stock kernel, and for another a copy, so that the module for the
    stock one stays what it is. In SOURCES whoever started this has put what is to be built."""
    if chosen := os.environ.get("SOURCES"):
        return Path(chosen)
    return REPO if kernel.chosen() is kernel.STOCK else REPO / "build" / f"module-{kernel.chosen().name}"


def prepared():
    """That folder, with the sources as they are now."""
    folder = place()
    if folder != REPO and "SOURCES" not in os.environ:
        copy_sources(folder)
    return folder


def build_into(folder):
    """Builds the module quietly and puts it into `folder`."""
    log = LOGS / "build.log"
    with timing.of("build"), tree_lock(), open(log, "w") as output:
        built = prepared()
        done = subprocess.run(kernel.chosen().make(built), stdout=output, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            sys.stdout.write(log.read_text())
            die(f"the module does not build; see {shown(log)}")
        return Path(shutil.copy(built / MODULE, folder))


def build_other(folder, name):
    """Builds the module of another driver, which is for tests: tools/testing/NAME. Puts it into `folder`."""
    chosen = kernel.chosen()
    place = REPO / "build" / f"{name}-{chosen.name}"
    with timing.of("build"), tree_lock():
        copy_sources(place, built=True)
        shutil.copy(place / "tools" / "testing" / name / "Kbuild", place)
        done = subprocess.run(chosen.make(place), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            die(f"{done.stdout}tools/testing/{name} does not build")
        return Path(shutil.copy(place / f"{name}_rust.ko", folder))


if __name__ == "__main__":
    with tree_lock():
        # Its output goes to the screen.
        sys.exit(subprocess.run(kernel.chosen().make(prepared(), *sys.argv[1:])).returncode)
