# SPDX-License-Identifier: GPL-2.0
"""XDP programs before the packets that a NIC receives."""

import re
from pathlib import Path

from bench import receive
from lab import bpf, xdp


def build(folder):
    return bpf.build(Path(__file__).with_name("xdp.bpf.c"), folder)


def before(program):
    """Attaches a program. What it lets pass is dropped right behind it."""

    def prepare(bed, side):
        receive.drop_at_ingress(bed, side)
        xdp.attach(bed.guest, side.name, program)

    return prepare


def sent_to(other, run):
    """Has programs send to an interface: `other` says which, of the side."""

    def sent(bed, side, count):
        # Each time, as both sides have one map.
        xdp.send_to(bed.guest, other(bed, side))
        return run(bed, side, count)

    return sent


def both(kind):
    """Attaches the program that sends elsewhere, and one where that is to be sent: C takes no frames without."""

    def prepare(bed, side):
        xdp.attach(bed.guest, second(kind)(bed, side), "pass")
        before("redirect")(bed, side)

    return prepare


def detach(bed, side):
    """From all NICs of the driver: more than one may have a program."""
    for kind in bed.sides.values():
        for found in kind:
            if found.label == side.label:
                xdp.detach(bed.guest, found.name)


def second(kind):
    """The NIC of the same driver and another kind."""

    def of(bed, side):
        (other,) = [found for found in bed.sides[kind] if found.label == side.label]
        return other.name

    return of


def live_frames(size):
    """Frames that the kernel makes are sent through a NIC."""

    def run(bed, side, count):
        command = "live", f"{xdp.MOUNTED}/xdp/redirect", count, size
        before = sent(bed, side)
        cost = bed.cost(lambda: bed.from_guest(*command))
        if sent(bed, side) != before + count:
            raise RuntimeError(f"{side.label}: frames have not been sent")
        return cost

    return run


def sent(bed, side):
    """How many frames the device has been given."""
    shown = bed.guest.run(["ethtool", "-S", side.name]).stdout
    tried, dropped = [sum(map(int, re.findall(rf"tx\d+_{name}: (\d+)", shown))) for name in ("xdp_tx", "xdp_tx_drops")]
    return tried - dropped


def itself(bed, side):
    return side.name


def veth(bed, side):
    """One end of a pair whose other end takes frames, and drops them at once."""
    bed.guest.run(
        "ip link show veth-in >/dev/null 2>&1 || { ip link add veth-in type veth peer name veth-out && "
        "ethtool -K veth-out gro on && ip link set veth-in up && ip link set veth-out up && "
        "tc qdisc add dev veth-out clsact && tc filter add dev veth-out ingress matchall action drop; }"
    )
    return "veth-in"
