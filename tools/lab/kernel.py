# SPDX-License-Identifier: GPL-2.0
"""The kernel that guests run: Debian's stock one or, with KERNEL=debug, that of tools/debug, which looks for mistakes."""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lab.paths import ENTRY, LINUX, die, layer


# Of all rounds, where not all variants are run.
SHARE = 4


@dataclass(frozen=True)
class Kernel:
    name: str
    image: Path
    # Has the modules that lead to the root disk, and /payload/modules if those of the disk are not this kernel's.
    initrd: Path
    # What the module is built against, and what `make` has to be told for it.
    tree: Path
    variables: tuple = ()
    cmdline: str = ""
    # What a kernel that can look for leaks needs for that, and what keeps it from doing so.
    with_leaks: str = ""
    without_leaks: str = ""
    # How many times the time that the stock kernel is given.
    patience: int = 1

    def make(self, folder, *variables):
        """The command that builds the module in a folder that has the sources."""
        return ["make", "--no-print-directory", "-C", folder, f"KDIR={self.tree}", "-j2", *self.variables, *variables]


STOCK = Kernel("stock", ENTRY / "vmlinuz", ENTRY / "initrd.cpio", LINUX)
# The kernel waits longer before it says that something hangs: twice the first, and the others, in seconds. The terminals
# that nobody uses would take a sixth of a boot.
DEBUG_CMDLINE = (
    "log_buf_len=4M watchdog_thresh=40 rcupdate.rcu_cpu_stall_timeout=84 workqueue.watchdog_thresh=120 pty.legacy_count=0"
)


def debug():
    folder = layer("debug")
    return Kernel(
        "debug",
        folder / "vmlinux",
        folder / "initrd.cpio",
        folder / "linux",
        # KASAN and Rust go together only with Clang.
        variables=("CC=clang",),
        cmdline=DEBUG_CMDLINE,
        # With a check of its own, a slab cache has no arrays of free objects, whose stale pointers hide leaks.
        with_leaks="slab_debug=F",
        without_leaks="kmemleak=off",
        patience=4,
    )


@cache
def chosen():
    name = os.environ.get("KERNEL", "stock")
    kernels = {"stock": lambda: STOCK, "debug": debug}
    if name not in kernels:
        die(f"KERNEL={name}: the kernel is one of {', '.join(kernels)}")
    return kernels[name]()


def patient(seconds):
    """How long to wait for what takes up to `seconds` on the stock kernel."""
    return seconds * chosen().patience


def rounds(number):
    """How often to do what `make check-all` does `number` times: less where there is no time for all variants, and less with
    a kernel that looks for mistakes, which sees them sooner."""
    share = 1 if os.environ.get("VARIANTS") == "all" else SHARE
    return max(1, number // (share * chosen().patience))
