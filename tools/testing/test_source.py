# SPDX-License-Identifier: GPL-2.0
"""The sources: clippy, rustdoc and rustfmt have nothing to say, and the documentation counts what is unsafe."""

import re
import subprocess
import sys

import pytest

from lab.paths import REPO
from support.kernels import stock_only

pytestmark = stock_only("the sources are the same whatever kernel guests run")


@pytest.mark.parametrize("check", ["clippy", "doc", "fmt"])
def test_source(check):
    done = subprocess.run([sys.executable, "-m", "lab.checks", check], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.fail(done.stdout + done.stderr, pytrace=False)


def test_unsafe_blocks():
    text = (REPO / "Documentation" / "design.rst").read_text()
    said = {name: int(number) for name, number in re.findall(r"^``(\w+)`` +(\d+)$", text, re.MULTILINE)}
    crates = {path.parent for path in (REPO / "rust").glob("*/lib.rs")}
    lines = {crate.name: [line for path in crate.rglob("*.rs") for line in path.open() if "unsafe {" in line] for crate in crates}
    assert said == {name: len(found) for name, found in lines.items() if found and name != "bindings"}
