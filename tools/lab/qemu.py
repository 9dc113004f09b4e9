# SPDX-License-Identifier: GPL-2.0
"""The lab's QEMU."""

import subprocess
from functools import cache

# What the kernel says when a virtual CPU has executed the breakpoint that another one had put into an instruction while it patched it,
# and has taken away since. About one boot in some hundred on a busy host ends so, whatever runs in the guest.
STUMBLED = "Oops: int3"
# What it says when a virtual CPU does not start after the guest has slept. Timers do not run in a guest that comes back with one CPU only,
# also without a driver of a NIC.
LOST = "failed to report alive state"


@cache
def version():
    text = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True).stdout
    return text.split("version ")[1].split()[0]


def stumbled(console):
    """Which of these a guest has died of, by its console, or None."""
    text = console.read_text(errors="replace")
    return next((said for said in (STUMBLED, LOST) if said in text), None)
