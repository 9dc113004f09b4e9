# SPDX-License-Identifier: GPL-2.0
"""Suspending a guest to idle or to memory, and saving it to a disk of its own, from which it comes back at once."""

import threading
from contextlib import contextmanager

import pytest

from lab import kernel

# The disk's size, in bytes
SWAP = 1 << 29


@contextmanager
def woken(wake):
    """For a `with` block, calls `wake` again and again: with the event that is set at the end."""
    done = threading.Event()
    thread = threading.Thread(target=wake, args=[done])
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def to_memory(guest):
    """Returns when the guest is awake again: until then it would lose what the host says."""
    if kernel.chosen() is not kernel.STOCK:
        pytest.skip("the debug kernel does not come back from S3 in QEMU, also without any driver of a NIC")

    def wake(done):
        while not done.wait(0.1):
            if guest.qmp("query-status")["status"] == "suspended":
                guest.qmp("system_wakeup")

    with woken(wake):
        guest.run("echo mem >/sys/power/state", timeout=120)


def to_idle(guest):
    """All devices sleep, and the CPUs wait for an interrupt that may wake the guest: here of a serial port."""
    guest.run("echo enabled >/sys/class/tty/ttyS1/power/wakeup")

    def wake(done):
        # QEMU does not say whether the guest sleeps. One that is woken before it does is up at once.
        pause = 1
        while not done.wait(pause):
            guest.nudge()
            pause *= 2

    count = "cat /sys/power/suspend_stats/success"
    before = int(guest.run(count).stdout)
    with guest.spawn(["cat", "/dev/ttyS1"]), woken(wake):
        guest.run(f"until [ $({count}) -gt {before} ]; do echo freeze >/sys/power/state; done", timeout=300)


def to_sleep(guest):
    """The deepest sleep that the kernel comes back from."""
    (to_memory if kernel.chosen() is kernel.STOCK else to_idle)(guest)


def disk(folder):
    """QEMU's options for a disk that the guest is saved to."""
    path = folder / "swap"
    with open(path, "wb") as file:
        file.truncate(SWAP)
    drive = f"file={path},if=none,id=swap,format=raw"
    return ["-drive", drive, "-device", "virtio-blk-pci,drive=swap,serial=swap"]


def to_disk(guest):
    """Saves the guest's memory, and has the kernel load it again instead of turning the machine off."""
    swap = guest.disk("swap")
    guest.run(f"swapon --show=NAME --noheadings | grep -q {swap} || {{ mkswap {swap} && swapon {swap}; }}")
    guest.run("echo test_resume >/sys/power/disk && echo disk >/sys/power/state", timeout=300)
