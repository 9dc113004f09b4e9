# SPDX-License-Identifier: GPL-2.0
"""Whether KVM is any use here. That /dev/kvm exists says little: nested, it may not run this very kernel."""

import os
import re
import subprocess
from functools import cache
from pathlib import Path

from lab.paths import CACHE, ENTRY

TCG = "tcg,thread=multi"
# A kernel on KVM is at its initial ram disk in about two seconds.
LIMIT = 20


def kvm_boots():
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    command = ["qemu-system-x86_64", "-accel", "kvm", "-cpu", "max", "-M", "q35", "-m", "512", "-nodefaults"]
    command += ["-display", "none", "-serial", "stdio", "-no-reboot", "-kernel", ENTRY / "vmlinuz"]
    command += ["-initrd", ENTRY / "initrd.cpio", "-append", "console=ttyS0 panic=-1 lab.probe"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return False
    return b"lab: the kernel boots" in done.stdout


def clock_for_microvm():
    """What to tell a kernel on a machine that has no clock but the processor's, whose speed it cannot measure when
    the machine is busy: under TCG, that of the host. KVM tells its guests itself."""
    if choose() == "kvm":
        return ""
    speeds = re.findall(r"^cpu MHz\s*: (\d+)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return f"tsc_early_khz={int(speeds[0]) * 1000}" if speeds else ""


@cache
def choose():
    """KVM if a guest boots on it, else TCG. The answer is kept for as long as this machine is up."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    memo = CACHE / "accel"
    if memo.exists():
        known, _, answer = memo.read_text().partition(" ")
        if known == boot:
            return answer
    answer = "kvm" if kvm_boots() else TCG
    memo.write_text(f"{boot} {answer}")
    return answer
