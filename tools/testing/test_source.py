# SPDX-License-Identifier: GPL-2.0
"""The sources: clippy, rustdoc and rustfmt have nothing to say."""

import subprocess
import sys

import pytest

from support.kernels import stock_only

pytestmark = stock_only("the sources are the same whatever kernel guests run")


@pytest.mark.parametrize("check", ["clippy", "doc", "fmt"])
def test_source(check):
    done = subprocess.run([sys.executable, "-m", "lab.checks", check], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.fail(done.stdout + done.stderr, pytrace=False)
