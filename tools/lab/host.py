# SPDX-License-Identifier: GPL-2.0
"""The host's side of a guest's NICs: commands and TAP devices in the lab's own network namespace."""

import subprocess

from lab import kernel, timing


def run(*argv, timeout=60, check=True, input=None):
    """Runs a command outside of the guest; a failing one is raised with what it said."""
    limit = kernel.patient(timeout)
    with timing.of("host"):
        done = subprocess.run(argv, input=input, capture_output=True, text=True, timeout=limit)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def make_tap(name, queues, address4, address6):
    # QEMU opens a TAP with several queues only if it was made so, and one with one queue only if it was not.
    run("ip", "tuntap", "add", "dev", name, "mode", "tap", "vnet_hdr", *(["multi_queue"] if queues > 1 else []))
    run("ip", "address", "add", address4, "dev", name)
    run("ip", "address", "add", address6, "dev", name, "nodad")
    run("ip", "link", "set", name, "up")
    run("ip", "link", "set", "lo", "up")


def remove_tap(name):
    run("ip", "link", "delete", name, check=False)
