# SPDX-License-Identifier: GPL-2.0
"""The patches for the kernel that Documentation/mainline offers: they apply to the lab's kernel, and what they change builds."""

import os
import shutil

import pytest

from lab import host
from lab.paths import LINUX, REPO
from support.kernels import stock_only

pytestmark = stock_only("nothing runs in a guest")

PATCHES = sorted((REPO / "Documentation" / "mainline").glob("*.patch"))


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_patch(patch, tmp_path):
    """As a module's sources, whose headers come before those of the kernel's tree."""
    text = patch.read_text()
    changed = [line.removeprefix("--- a/") for line in text.splitlines() if line.startswith("--- a/")]
    assert changed
    for file in changed:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(LINUX / file, tmp_path / file)
    host.run("env", "-C", str(tmp_path), "busybox", "patch", "-p", "1", "-i", str(patch))
    sources = [file for file in changed if file.endswith(".c")]
    for folder in {os.path.dirname(file) for file in sources}:
        for header in (LINUX / folder).glob("*.h"):
            shutil.copy(header, tmp_path / folder)
        objects = [os.path.basename(file)[:-2] + ".o" for file in sources if os.path.dirname(file) == folder]
        (tmp_path / folder / "Kbuild").write_text(
            f"obj-m := patched.o\npatched-y := {' '.join(objects)}\n"
            f"LINUXINCLUDE := -I{tmp_path}/include $(LINUXINCLUDE)\nccflags-y := -Werror\n"
        )
        host.run("make", "-C", str(LINUX), f"M={tmp_path / folder}", *objects)
