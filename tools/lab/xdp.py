# SPDX-License-Identifier: GPL-2.0
"""XDP programs on a guest's interface: those of an object that is called xdp.o, one at a time."""

from contextlib import contextmanager

from lab import kernel

OBJECT = "/payload/xdp.o"
# Where the programs of the object are pinned, each by its name.
PINNED = "/sys/fs/bpf/xdp"


def load(guest):
    """Loads the programs, which must be among the files of the guest."""
    mount = "mountpoint -q /sys/fs/bpf || mount -t bpf none /sys/fs/bpf"
    guest.run(f"{mount}; bpftool prog loadall {OBJECT} {PINNED} pinmaps {PINNED}-maps", kernel.patient(60))


def send_to(guest, name):
    """Has programs send to an interface that send to the first one of `devices`."""
    index = int(guest.read(f"/sys/class/net/{name}/ifindex"))
    value = index.to_bytes(4, "little").hex(" ").split()
    guest.run(["bpftool", "map", "update", "pinned", f"{PINNED}-maps/devices", "key", "hex", "00", "00", "00", "00", "value", "hex", *value])


def attach(guest, name, program, check=True):
    """Attaches a program, or has it take the place of another."""
    return guest.run(["ip", "-force", "link", "set", "dev", name, "xdpdrv", "pinned", f"{PINNED}/{program}"], check=check)


def detach(guest, name):
    guest.run(["ip", "link", "set", "dev", name, "xdpdrv", "off"])


@contextmanager
def attached(guest, name, program):
    attach(guest, name, program)
    try:
        yield
    finally:
        detach(guest, name)
