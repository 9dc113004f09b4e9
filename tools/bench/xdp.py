# SPDX-License-Identifier: GPL-2.0
"""XDP programs before the packets that a NIC receives."""

import subprocess
from pathlib import Path

from bench import receive

PROGRAMS = "/sys/fs/bpf/bench"
DEVICES = f"{PROGRAMS}-maps/devices"


def build(folder):
    made = Path(folder) / "xdp.o"
    command = ["clang", "-O2", "-g", "-Wall", "-Werror", "-target", "bpf", "-I/usr/include/x86_64-linux-gnu"]
    subprocess.run([*command, "-c", Path(__file__).with_name("xdp.bpf.c"), "-o", made], check=True)
    return made


def load(bed):
    """Loads the programs into the guest of a bed that has the file."""
    bed.guest.run(
        f"mountpoint -q /sys/fs/bpf || mount -t bpf none /sys/fs/bpf; "
        f"bpftool prog loadall /payload/xdp.o {PROGRAMS} pinmaps {PROGRAMS}-maps"
    )


def before(program):
    """Attaches a program. What it lets pass is dropped right behind it."""

    def prepare(bed, side):
        receive.drop_at_ingress(bed, side)
        bed.guest.run(["ip", "-force", "link", "set", side.name, "xdpdrv", "pinned", f"{PROGRAMS}/{program}"])

    return prepare


def send_to(other):
    """Attaches the program that sends to another interface: `other` says which, of the side."""

    def prepare(bed, side):
        index = int(bed.guest.read(f"/sys/class/net/{other(bed, side)}/ifindex"))
        value = index.to_bytes(4, "little").hex(" ").split()
        bed.guest.run(["bpftool", "map", "update", "pinned", DEVICES, "key", "hex", "00", "00", "00", "00", "value", "hex", *value])
        before("redirect")(bed, side)

    return prepare


def detach(bed, side):
    bed.guest.run(["ip", "link", "set", side.name, "xdpdrv", "off"])


def second(kind):
    """The NIC of the same driver and another kind."""

    def of(bed, side):
        (other,) = [found for found in bed.sides[kind] if found.label == side.label]
        return other.name

    return of


def veth(bed, side):
    """One end of a pair whose other end takes frames, and drops them at once."""
    bed.guest.run(
        "ip link show veth-in >/dev/null 2>&1 || { ip link add veth-in type veth peer name veth-out && "
        "ethtool -K veth-out gro on && ip link set veth-in up && ip link set veth-out up && "
        "tc qdisc add dev veth-out clsact && tc filter add dev veth-out ingress matchall action drop; }"
    )
    return "veth-in"
