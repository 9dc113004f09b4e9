# SPDX-License-Identifier: GPL-2.0
"""The driver's tracepoint of what is done for the health of a device."""

import re
from contextlib import contextmanager

from lab import driver as drivers

TRACING = "/sys/kernel/tracing"
EVENT = f"{TRACING}/events/{drivers.RUST.name}/health_step"


@contextmanager
def health_steps(guest):
    """Traces meanwhile. What it yields returns the steps since then, each with interface and queue."""
    guest.run(f"mountpoint -q {TRACING} || mount -t tracefs tracefs {TRACING}; echo >{TRACING}/trace; echo 1 >{EVENT}/enable")
    try:
        yield lambda: re.findall(r"health_step: (\S+): (.+) queue=(-?\d+)", guest.run(["cat", f"{TRACING}/trace"]).stdout)
    finally:
        guest.run(f"echo 0 >{EVENT}/enable")
