# SPDX-License-Identifier: GPL-2.0
"""Modules for the kernel that guests run: those that do, on purpose, what none of the kernel's does, and those that it lacks."""

import shutil
import subprocess
from pathlib import Path

from lab import kernel
from lab.paths import LINUX


def build(name, folder):
    """Compiles NAME.c, which is beside this file, for the kernel that guests run, and returns what was made."""
    shutil.copy(Path(__file__).with_name(f"{name}.c"), folder)
    (folder / "Kbuild").write_text(f"obj-m := {name}.o\n")
    return make(name, folder)


def of_kernel(name, source, folder, *options):
    """Compiles a driver of the kernel's own, from a folder of its sources, with these options of its configuration."""
    folder = shutil.copytree(LINUX / source, folder / name)
    return make(name, folder, *options)


def make(name, folder, *options):
    chosen = kernel.chosen()
    subprocess.run(["make", "-C", chosen.tree, f"M={folder}", *chosen.variables, *options, "modules"], check=True)
    return folder / f"{name}.ko"
