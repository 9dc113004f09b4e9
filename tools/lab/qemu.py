# SPDX-License-Identifier: GPL-2.0
"""The lab's QEMU."""

import subprocess
from functools import cache

# What the kernel says when a virtual CPU has executed the breakpoint that another one had put into an instruction while it patched it,
# and has taken away since. About one boot in some hundred on a busy host ends so, whatever runs in the guest.
STUMBLED = "Oops: int3"


@cache
def version():
    text = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True).stdout
    return text.split("version ")[1].split()[0]


def stumbled(console):
    """Whether a guest has died of that, by its console."""
    return STUMBLED in console.read_text(errors="replace")
