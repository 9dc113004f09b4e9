# SPDX-License-Identifier: GPL-2.0
"""Sockets of AF_XDP without copies: a process that does as little as can be (xsk.c)."""

import subprocess
from pathlib import Path

from lab import xdp

SOURCE = Path(__file__).with_suffix(".c")
COMMAND = "/payload/xsk"


def build(folder):
    """Compiles the program that runs in the guest, and returns it."""
    made = Path(folder) / "xsk"
    subprocess.run(["gcc", "-O2", "-Wall", "-Werror", "-static", "-o", made, SOURCE], check=True)
    return made


def serving(what):
    """A process on the NIC that receives packets, or forwards them, until the workload is finished."""

    def prepare(bed, side):
        xdp.attach(bed.guest, side.name, "to_socket")
        said = f"/tmp/xsk-{side.name}"
        bed.guest.run(f"{COMMAND} {side.name} {what} >{said} & echo $! >{said}.pid; until grep -q bound {said}; do sleep 0.1; done")

    return prepare


def finish(bed, side):
    bed.guest.run(f"kill $(cat /tmp/xsk-{side.name}.pid)")
    xdp.detach(bed.guest, side.name)


def frames(size):
    """Sends frames of this length from the guest."""

    def run(bed, side, count):
        return bed.cost(lambda: bed.guest.run([COMMAND, side.name, "send", count, size], timeout=300))

    return run
