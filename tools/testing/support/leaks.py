# SPDX-License-Identifier: GPL-2.0
"""What is left in the guest's kernel: memory, and devices that should be gone."""

import re
import time

from lab import kernel
from support import counters, kmemleak
from support.nics import interrupts_of

# What a test that looks for pools must have among the files of its guest.
POOLS = counters.NETDEV
# What caches, lists of CPUs and lazy unmapping keep is given back where it can be, and counted where it cannot.
SETTLE = (
    "echo 3 >/proc/sys/vm/drop_caches; for cache in /sys/kernel/slab/*/shrink; do echo 1 >$cache; done;"
    "cat /proc/meminfo /proc/zoneinfo /proc/vmallocinfo /proc/slabinfo"
)
# For the guest of a test that looks for leaks. Each cache is kept apart, so that its objects are counted apart.
LOOKED_FOR = {"cmdline": "slab_nomerge log_buf_len=8M", "leaks": True}
# Of the fields of /proc/meminfo: what is known not to be the kernel's own.
NOT_KERNEL = ("Buffers", "Cached", "AnonPages", "PageTables", "KernelStack")


def used(guest):
    """Pages that the kernel has for itself, mapped areas, and objects of each slab cache."""
    text = guest.run(SETTLE).stdout
    caches = re.findall(r"^(\S+) +(\d+)(?: +\d+){4} : tunables", text, re.MULTILINE)
    count = {name: int(objects) for name, objects in caches}
    assert len(count) > 50, "no counts of slab caches"
    # Unmapped areas wait there for their next use.
    del count["vmap_area"]
    count["areas"] = len(re.findall(r"^0x[0-9a-f]+-0x(?!.*unpurged)", text, re.MULTILINE))
    free = re.findall(r"^ +(?:pages free|count:) +(\d+)$", text, re.MULTILINE)
    others = [int(re.search(rf"^{name}: +(\d+) kB$", text, re.MULTILINE)[1]) // 4 for name in NOT_KERNEL]
    count["pages"] = -sum(map(int, free)) - sum(others)
    return count


def of_rounds(guest, rounds, run):
    """Calls run(rounds) again and again; what grew every time by one a round or more leaks.

    Other things in the kernel grow too, but not all the time. The first call, which warms up, does not count.

    The debug kernel has counts of its own for most things, and keeps what was freed: there, kmemleak looks for what leaks.
    """
    if guest.leaks:
        run(kernel.rounds(rounds))
        return kmemleak.found(guest)
    run(rounds)
    suspects, before = [], used(guest)
    for _ in range(3):
        run(rounds)
        after = used(guest)
        grown = {name: after[name] - before[name] for name in before if name in after}
        suspects = [name for name in (suspects or grown) if grown[name] >= rounds]
        if not suspects:
            return {}
        before = after
    return {name: grown[name] for name in suspects}


def pools(guest):
    return counters.netdev(guest, "pools")


def pools_in_use(guest):
    """How many page pools there are, without those that were given up and wait for pages that something still has."""
    return sum("detached" not in pool for pool in pools(guest))


def wait_for_pools(guest, wanted, timeout=60):
    """Until there are as many page pools, none of them given up with pages still in use.

    After the last device has gone, what a CPU receives is what comes through the loopback device.
    """
    limit = time.monotonic() + kernel.patient(timeout)
    while True:
        found = pools(guest)
        if len(found) == wanted and not any("detached" in pool for pool in found):
            return
        assert time.monotonic() < limit, f"{wanted} page pools were expected, there are {found}"
        kmemleak.receive_everywhere(guest)
        time.sleep(0.2)


def nothing_left(guest, nic, device):
    """After `device`, which is that of `nic`, was unbound or refused."""
    command = f"ip link; echo ==; ls -d /sys/bus/virtio/devices/{device}/net/*; echo ==; cat /proc/interrupts"
    found = guest.run(command, check=False)
    links, devices, irqs = found.stdout.split("==\n", 2)
    assert nic.mac not in links, "the interface is still there"
    assert not devices.strip(), "a network device is left"
    assert not interrupts_of(device, irqs), "interrupts are left"
