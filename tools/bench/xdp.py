# SPDX-License-Identifier: GPL-2.0
"""XDP programs before the packets that a NIC receives."""

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


def send_to(other):
    """Attaches the program that sends to another interface: `other` says which, of the side."""

    def prepare(bed, side):
        xdp.send_to(bed.guest, other(bed, side))
        before("redirect")(bed, side)

    return prepare


def detach(bed, side):
    xdp.detach(bed.guest, side.name)


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
