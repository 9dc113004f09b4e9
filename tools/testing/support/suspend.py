# SPDX-License-Identifier: GPL-2.0
"""Suspending a guest to idle or to memory, and saving it to a disk of its own, from which it comes back at once."""

import time

import pytest

from lab import kernel, qemu
from support import healing

# The disk's size, in bytes
SWAP = 1 << 29
# The status of what has put the guest to sleep, when it is awake again.
AWAKE = "/tmp/awake"
# How long it has, in seconds.
TIMEOUT = kernel.patient(300)


def asleep(guest, command, wake=lambda: None, growth=1):
    """Has a command put the guest to sleep, and calls `wake` until it is awake again, with pauses that grow by a factor."""
    guest.run(f"rm -f {AWAKE}")
    # The agent has answered before it sleeps.
    with guest.spawn(f"sleep 0.1; {command}; echo $? >{AWAKE}.new; mv {AWAKE}.new {AWAKE}"):
        limit, pause = time.monotonic() + TIMEOUT, 0.2
        while True:
            time.sleep(pause)
            wake()
            if status := guest.heard(AWAKE):
                assert status == "0\n", f"{command}: exit status {status}"
                return
            late = time.monotonic() > limit
            assert not late and not qemu.stumbled(guest.console), f"{command}: the guest does not come back"
            pause *= growth


def to_memory(guest):
    if kernel.chosen() is not kernel.STOCK:
        pytest.skip("the debug kernel does not come back from S3 in QEMU, also without any driver of a NIC")

    def wake():
        if guest.qmp("query-status")["status"] == "suspended":
            guest.qmp("system_wakeup")

    asleep(guest, "echo mem >/sys/power/state", wake)


def to_idle(guest):
    """All devices sleep, and the CPUs wait for an interrupt that may wake the guest: here of a serial port."""
    guest.run("echo enabled >/sys/class/tty/ttyS1/power/wakeup")
    count = "cat /sys/power/suspend_stats/success"
    before = int(guest.run(count).stdout)
    with guest.spawn(["cat", "/dev/ttyS1"]):
        # QEMU does not say whether the guest sleeps. One that is woken before it does is up at once, and needs longer.
        asleep(guest, f"until [ $({count}) -gt {before} ]; do echo freeze >/sys/power/state; done", guest.nudge, growth=1.5)


def to_sleep(guest):
    """The deepest sleep that the kernel comes back from."""
    (to_memory if kernel.chosen() is kernel.STOCK else to_idle)(guest)


def by_reset(guest):
    """No sleep, but what becomes of the devices is the same: each is reset by hand."""
    for nic in guest.nics:
        nic.name = guest.interface(nic)
    healing.by_hand(guest, *guest.nics)


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
    asleep(guest, "echo test_resume >/sys/power/disk && echo disk >/sys/power/state")
