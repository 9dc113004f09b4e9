# SPDX-License-Identifier: GPL-2.0
"""Suspending a guest to memory, and saving it to a disk of its own, from which it comes back at once."""

import threading
from contextlib import contextmanager

# The disk's size, in bytes
SWAP = 1 << 29


@contextmanager
def woken(guest):
    """For a `with` block, wakes the guest whenever it sleeps."""
    done = threading.Event()

    def wake():
        while not done.wait(0.1):
            if guest.qmp("query-status")["status"] == "suspended":
                guest.qmp("system_wakeup")

    thread = threading.Thread(target=wake)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def to_memory(guest):
    """Returns when the guest is awake again: until then it would lose what the host says."""
    with woken(guest):
        guest.run("echo mem >/sys/power/state", timeout=120)


def disk(folder):
    """QEMU's options for a disk that the guest is saved to."""
    path = folder / "swap"
    with open(path, "wb") as file:
        file.truncate(SWAP)
    drive = f"file={path},if=none,id=swap,format=raw"
    return ["-drive", drive, "-device", "virtio-blk-pci,drive=swap,serial=swap"]


def to_disk(guest):
    """Saves the guest's memory, and has the kernel load it again instead of turning the machine off."""
    find = "for d in /sys/block/vd*; do [ \"$(cat $d/serial)\" = swap ] && echo /dev/${d##*/}; done"
    swap = guest.run(find).stdout.strip()
    guest.run(f"swapon --show=NAME --noheadings | grep -q {swap} || {{ mkswap {swap} && swapon {swap}; }}")
    guest.run("echo test_resume >/sys/power/disk && echo disk >/sys/power/state", timeout=300)
