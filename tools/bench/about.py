# SPDX-License-Identifier: GPL-2.0
"""On what figures were measured."""

import subprocess

from lab import accel
from lab.paths import RELEASE


def about(commit):
    text = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True).stdout
    qemu = text.split("version ")[1].split()[0]
    return {"commit": commit, "kernel": RELEASE, "qemu": qemu, "accelerator": accel.choose()}


def sentence(facts):
    return "Linux {kernel}, QEMU {qemu}, this driver at commit {commit}; by the clock: on {accelerator}.".format(**facts)
