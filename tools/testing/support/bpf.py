# SPDX-License-Identifier: GPL-2.0
"""BPF programs at the host's end of a NIC, on what leaves it and on what comes."""

from contextlib import contextmanager
from pathlib import Path

import pytest

from lab import bpf, host


def build(name, folder):
    """Compiles NAME.bpf.c, which is beside this file, and returns what was made."""
    return bpf.build(Path(__file__).with_name(f"{name}.bpf.c"), folder)


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """The XDP programs, to be among the files of a guest: see `lab.xdp`."""
    return build("xdp", tmp_path_factory.mktemp("xdp"))


@contextmanager
def attached(nic, program, **sections):
    """For a `with` block: sections of the program by where they are called, egress (to the guest) or ingress."""
    host.run("tc", "qdisc", "add", "dev", nic.tap, "clsact")
    try:
        for hook, section in sections.items():
            words = ["bpf", "direct-action", "object-file", str(program), "section", section]
            host.run("tc", "filter", "add", "dev", nic.tap, hook, *words)
        yield
    finally:
        host.run("tc", "qdisc", "delete", "dev", nic.tap, "clsact")
