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
        raise RuntimeError(f"{' '.join(map(str, argv))}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def make_tap(name, queues, *addresses):
    # QEMU opens a TAP with several queues only if it was made so, and one with one queue only if it was not.
    run("ip", "tuntap", "add", "dev", name, "mode", "tap", "vnet_hdr", *(["multi_queue"] if queues > 1 else []))
    bring_up(name, *addresses)


def make_bridge(name, mac, *addresses):
    # Where an address is now is learnt from the next packet. Without a MAC address of its own it has one of its ports'.
    run("ip", "link", "add", name, "address", mac, "type", "bridge", "forward_delay", "0")
    bring_up(name, *addresses)


def bring_up(name, *addresses):
    for address in addresses:
        run("ip", "address", "add", address, "dev", name, *(["nodad"] if ":" in address else []))
    run("ip", "link", "set", name, "up")
    run("ip", "link", "set", "lo", "up")


def remove(name):
    run("ip", "link", "delete", name, check=False)
