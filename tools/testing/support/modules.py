# SPDX-License-Identifier: GPL-2.0
"""Modules that do in the guest's kernel, on purpose, what no module of the kernel's does."""

import shutil
import subprocess
from pathlib import Path

from lab import kernel


def build(name, folder):
    """Compiles NAME.c, which is beside this file, for the kernel that guests run, and returns what was made."""
    shutil.copy(Path(__file__).with_name(f"{name}.c"), folder)
    (folder / "Kbuild").write_text(f"obj-m := {name}.o\n")
    chosen = kernel.chosen()
    subprocess.run(["make", "-C", chosen.tree, f"M={folder}", *chosen.variables, "modules"], check=True)
    return folder / f"{name}.ko"
