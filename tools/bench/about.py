# SPDX-License-Identifier: GPL-2.0
"""On what figures were measured."""

from lab import accel, qemu
from lab.paths import RELEASE


def about(commit):
    return {"commit": commit, "kernel": RELEASE, "qemu": qemu.version(), "accelerator": accel.choose()}


def sentence(facts):
    return "Linux {kernel}, QEMU {qemu}, this driver at commit {commit}; by the clock: on {accelerator}.".format(**facts)
