# SPDX-License-Identifier: GPL-2.0
"""VLAN tags on a link: the guest has a VLAN device, the host puts them on and off at its TAP, by BPF."""

import subprocess
from contextlib import contextmanager
from pathlib import Path

from lab import host

SOURCE = Path(__file__).with_name("vlan_tag.bpf.c")
# That of the BPF program.
ID = 5


def build(folder):
    """Returns the compiled program."""
    made = folder / "vlan_tag.o"
    command = ["clang", "-O2", "-Wall", "-Werror", "-target", "bpf", "-I/usr/include/x86_64-linux-gnu"]
    subprocess.run([*command, "-c", SOURCE, "-o", made], check=True)
    return made


@contextmanager
def tagged(nic, program):
    """All that leaves the host's end of a NIC has a tag, and all that comes must have one."""
    host.run("tc", "qdisc", "add", "dev", nic.tap, "clsact")
    try:
        for hook, section in (("egress", "tc/push"), ("ingress", "tc/pop")):
            bpf = ["bpf", "direct-action", "object-file", str(program), "section", section]
            host.run("tc", "filter", "add", "dev", nic.tap, hook, *bpf)
        yield
    finally:
        host.run("tc", "qdisc", "delete", "dev", nic.tap, "clsact")
