# SPDX-License-Identifier: GPL-2.0
"""BPF programs at the host's end of a NIC, on what leaves it and on what comes."""

import subprocess
from contextlib import contextmanager
from pathlib import Path

from lab import host


def build(name, folder):
    """Compiles NAME.bpf.c, which is beside this file, and returns what was made."""
    made = folder / f"{name}.o"
    command = ["clang", "-O2", "-g", "-Wall", "-Werror", "-target", "bpf", "-I/usr/include/x86_64-linux-gnu"]
    subprocess.run([*command, "-c", Path(__file__).with_name(f"{name}.bpf.c"), "-o", made], check=True)
    return made


@contextmanager
def attached(nic, program, **sections):
    """For a `with` block: sections of the program by where they are called, egress (to the guest) or ingress."""
    host.run("tc", "qdisc", "add", "dev", nic.tap, "clsact")
    try:
        for hook, section in sections.items():
            bpf = ["bpf", "direct-action", "object-file", str(program), "section", section]
            host.run("tc", "filter", "add", "dev", nic.tap, hook, *bpf)
        yield
    finally:
        host.run("tc", "qdisc", "delete", "dev", nic.tap, "clsact")
