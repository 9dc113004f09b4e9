# SPDX-License-Identifier: GPL-2.0
"""`make clippy`, `make doc`, `make fmt-check`: what reviewers would ask for, as commands that pass or fail.

The first two build the module in a copy of the sources, so that the one in the tree stays what it is.
"""

import re
import subprocess
import sys

from lab import device, kernel, timing
from lab.build import copy_sources, tree_lock
from lab.paths import LINUX, REPO, die, shown

WARNING = re.compile(r"^(warning|error)\b", re.MULTILINE)


def build(name, variable):
    """Builds a copy with a variable of Kbuild set; any warning is a failure."""
    folder = REPO / "build" / name
    with timing.of("build"), tree_lock():
        copy_sources(folder)
        command = kernel.chosen().make(folder, variable)
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout, end="")
    if done.returncode != 0 or WARNING.search(done.stdout):
        die(f"{variable} has something to say, see above (the copy is in {shown(folder)})")
    return folder


def clippy():
    build("clippy", "CLIPPY=1")
    for folder in device.SOURCE, REPO / "tools" / "unit":
        device.cargo("clippy", "--all-targets", "--", "--deny", "warnings", folder=folder)


def doc():
    folder = build("doc", "DOC=1")
    print(f"the pages are in {shown(folder / 'Documentation' / 'output')}")


def fmt():
    files = [f for top in ("rust", "drivers", "tools/device", "tools/testing", "tools/unit") for f in (REPO / top).rglob("*.rs") if not f.name.endswith("_generated.rs")]
    command = ["rustfmt", "--check", "--edition", "2021", "--config-path", LINUX / ".rustfmt.toml"]
    if not files or subprocess.run([*command, *sorted(files)], cwd=REPO).returncode != 0:
        die("rustfmt would change what is shown above")


if __name__ == "__main__":
    {"clippy": clippy, "doc": doc, "fmt": fmt}[sys.argv[1]]()
