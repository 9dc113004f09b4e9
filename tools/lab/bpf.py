# SPDX-License-Identifier: GPL-2.0
"""BPF programs, which are compiled where they are used."""

import subprocess
from pathlib import Path

INCLUDED = "/usr/include/x86_64-linux-gnu", Path(__file__).parent


def build(source, folder):
    """Compiles NAME.bpf.c, and returns what was made: NAME.o."""
    made = Path(folder) / source.name.replace(".bpf.c", ".o")
    command = ["clang", "-O2", "-g", "-Wall", "-Werror", "-target", "bpf", *(f"-I{path}" for path in INCLUDED)]
    subprocess.run([*command, "-c", source, "-o", made], check=True)
    return made
