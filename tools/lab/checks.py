# SPDX-License-Identifier: GPL-2.0
"""`make clippy`, `make doc`, `make fmt-check`: what reviewers would ask for, as commands that pass or fail.

The first two build in a copy of the sources, so that the module in the tree stays what it is.
"""

import re
import shutil
import subprocess
import sys

from lab.build import tree_lock
from lab.paths import LINUX, REPO, die, shown

SOURCES = ("Kbuild", "Makefile", "rust", "drivers", "tools/lab")
BUILT = shutil.ignore_patterns("*.o", "*.cmd", "*.rmeta", "*.bc", "*.d", "*_generated.rs", "blocklist")
WARNING = re.compile(r"^(warning|error)\b", re.MULTILINE)


def copy_sources(folder):
    shutil.rmtree(folder, ignore_errors=True)
    for name in SOURCES:
        source, target = REPO / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=BUILT)
        else:
            shutil.copy(source, target)


def build(name, variable):
    """Builds a copy with a variable of Kbuild set; any warning is a failure."""
    folder = REPO / "build" / name
    with tree_lock():
        copy_sources(folder)
        done = subprocess.run(
            ["make", "--no-print-directory", "-C", folder, f"KDIR={LINUX}", "-j2", variable],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    print(done.stdout, end="")
    if done.returncode != 0 or WARNING.search(done.stdout):
        die(f"{variable} has something to say, see above (the copy is in {shown(folder)})")
    return folder


def clippy():
    build("clippy", "CLIPPY=1")


def doc():
    folder = build("doc", "DOC=1")
    print(f"the pages are in {shown(folder / 'Documentation' / 'output')}")


def fmt():
    files = [f for top in ("rust", "drivers", "tools/device") for f in (REPO / top).rglob("*.rs") if not f.name.endswith("_generated.rs")]
    command = ["rustfmt", "--check", "--edition", "2021", "--config-path", LINUX / ".rustfmt.toml"]
    if not files or subprocess.run([*command, *sorted(files)], cwd=REPO).returncode != 0:
        die("rustfmt would change what is shown above")


if __name__ == "__main__":
    {"clippy": clippy, "doc": doc, "fmt": fmt}[sys.argv[1]]()
