# SPDX-License-Identifier: GPL-2.0
"""XDP programs on a guest's interface: those of an object NAME.o, which is xdp.o if not said otherwise."""

import json
from contextlib import contextmanager

from lab import kernel

# A file system of BPF that is there in network namespaces too. It has the programs of NAME.o in NAME, and the maps in NAME-maps.
MOUNTED = "/run/bpf"


def load(guest, of="xdp", device=None):
    """Loads the programs of an object, which must be among the files of the guest; for one interface if they ask it for metadata."""
    guest.run(f"mountpoint -q {MOUNTED} || {{ mkdir -p {MOUNTED} && mount -t bpf none {MOUNTED}; }}")
    bound = f"xdpmeta_dev {device}" if device else ""
    pins = f"{MOUNTED}/{of} {bound} pinmaps {MOUNTED}/{of}-maps"
    guest.run(f"bpftool prog loadall /payload/{of}.o {pins}", kernel.patient(60))


@contextmanager
def loaded(guest, of, device):
    load(guest, of, device)
    try:
        yield
    finally:
        guest.run(["rm", "-r", f"{MOUNTED}/{of}", f"{MOUNTED}/{of}-maps"])


def entries(guest, name, of="xdp"):
    """What a map has, by key."""
    shown = guest.run(["bpftool", "-j", "map", "dump", "pinned", f"{MOUNTED}/{of}-maps/{name}"]).stdout
    return {entry["formatted"]["key"]: entry["formatted"]["value"] for entry in json.loads(shown)}


def send_to(guest, name, devices="devices"):
    """Has programs send to an interface that send to the first one of this map."""
    index = int(guest.read(f"/sys/class/net/{name}/ifindex"))
    value = index.to_bytes(4, "little").hex(" ").split()
    pinned = f"{MOUNTED}/xdp-maps/{devices}"
    guest.run(["bpftool", "map", "update", "pinned", pinned, "key", "hex", "00", "00", "00", "00", "value", "hex", *value])


def attach(guest, name, program, check=True, netns=(), of="xdp"):
    """Attaches a program, or has it take the place of another. `netns` are options of `ip` that name a network namespace."""
    pinned = f"{MOUNTED}/{of}/{program}"
    return guest.run(["ip", *netns, "-force", "link", "set", "dev", name, "xdpdrv", "pinned", pinned], check=check)


def detach(guest, name, netns=()):
    guest.run(["ip", *netns, "link", "set", "dev", name, "xdpdrv", "off"])


@contextmanager
def attached(guest, name, program, netns=(), of="xdp"):
    attach(guest, name, program, netns=netns, of=of)
    try:
        yield
    finally:
        detach(guest, name, netns)
