# SPDX-License-Identifier: GPL-2.0
"""The lab's QEMU."""

import subprocess
from functools import cache


@cache
def version():
    text = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True).stdout
    return text.split("version ")[1].split()[0]
