# SPDX-License-Identifier: GPL-2.0
"""Each receive mode on each ring, with offloads and without, at each MTU, with VLAN tags and without: the full product.

Of each cell: TCP and UDP both ways, IPv4 and IPv6, compared by content; and whether there were GSO packets
exactly where that has been agreed on.
"""

import itertools
import json
from contextlib import contextmanager, nullcontext
from functools import partial

import pytest

from lab import driver as drivers
from lab import features, host
from support import exchange, vlan
from support.kernel_log import no_errors  # noqa: F401
from support.nics import BIG, MERGEABLE, NO_CSUM, NO_GUEST_CSUM, PACKED, SMALL
from support.watch import Watch

MODES = {"small": SMALL, "big": BIG, "mergeable": MERGEABLE}
LAYOUTS = {
    "split": ({}, set()),
    "packed": (PACKED, {"RING_PACKED"}),
    "split, in order": ({"in_order": "on"}, {"IN_ORDER"}),
    "packed, in order": (PACKED | {"in_order": "on"}, {"RING_PACKED", "IN_ORDER"}),
}
# Without offloads it is the device's MTU that asks for more than an Ethernet frame.
OFFLOADS = {"offloads": {}, "no offloads": NO_CSUM | NO_GUEST_CSUM}
DEVICES = list(itertools.product(MODES, LAYOUTS, OFFLOADS))
MTUS = (68, 1500, 9000, 65535)
# What a TAP takes: it counts the Ethernet header too.
TAP_MTU = 65521
# How many bytes go over TCP, up to which MTU: many packets, but not too many.
SIZES = ((500, 8_000), (1500, 300_000), (65535, 1_000_000))
# What IPv6 asks of a link.
IPV6_MTU = 1280


def properties(mode, layout, offloads):
    large = {"host_mtu": "65535"} if offloads == "no offloads" and mode != "small" else {}
    return MODES[mode] | LAYOUTS[layout][0] | OFFLOADS[offloads] | large


@pytest.fixture(scope="module")
def guest(boot, driver):
    with boot(nics=[properties(*device) for device in DEVICES], files=[exchange.PEER], memory="2G") as guest:
        driver.load(guest)
        guest.run(["modprobe", "8021q"])
        with exchange.peer_in(guest):
            yield guest


@pytest.fixture(scope="module")
def tagger(tmp_path_factory):
    return vlan.build(tmp_path_factory.mktemp("vlan"))


def most(guest, name, driver, mode):
    """The largest MTU of an interface. That of the C driver says nothing where it has small buffers."""
    if driver is drivers.C and mode == "small":
        return 1500
    return json.loads(guest.run(["ip", "-json", "-details", "link", "show", name]).stdout)[0]["max_mtu"]


@contextmanager
def link(guest, nic, mtu, tag):
    """Both ends with this MTU and their addresses, which the guest has on a VLAN device if there is a tag."""
    name = guest.interface(nic)
    device = f"{name}.{vlan.ID}" if tag else name
    commands = [f"link set {name} mtu {mtu}", f"link set {name} up"]
    if tag:
        commands += [f"link add link {name} name {device} type vlan id {vlan.ID}", f"link set {device} mtu {mtu} up"]
    commands.append(f"address add {nic.guest4}/24 dev {device}")
    host.run("ip", "link", "set", nic.tap, "mtu", str(min(mtu, TAP_MTU)))
    # What it has learnt about the path when the MTU was another.
    for family in ("-4", "-6"):
        host.run("ip", family, "route", "flush", "cache")
    if mtu >= IPV6_MTU:
        commands.append(f"address add {nic.guest6}/64 dev {device} nodad")
        # It is lost with each MTU that is too small for it.
        host.run("ip", "address", "replace", f"{nic.host6}/64", "dev", nic.tap, "nodad")
    with tag(nic) if tag else nullcontext():
        try:
            guest.run(["ip", "-batch", "-"], input="\n".join(commands).encode())
            yield
        finally:
            gone = f"ip link delete {device}" if tag else "true"
            guest.run(f"{gone}; ip link set {name} down; ip address flush dev {name}")


def datagrams(mtu, header):
    """Sizes around that of one packet, and of more; some of those that are split into many are lost on the way."""
    largest = min(mtu, TAP_MTU) - header
    return [size for size in (0, 1, largest - 1, largest, largest + 1, min(2 * largest, 20_000)) if size <= 65507]


def segmented_as_agreed(way, mtu, size, gso):
    """TCP leaves its packets unsegmented if the other side agreed to it, else none is longer than the MTU allows.

    If the MTU is so small that IP has to fragment them anyway, or the largest, there is nothing to segment.
    """
    frame = mtu + 14
    if not gso:
        assert way.longest <= frame
    elif IPV6_MTU < mtu < TAP_MTU:
        assert way.longest > 2 * frame
        assert way.frames < size / mtu / 2


@pytest.mark.parametrize("tags", [False, True], ids=["untagged", "tagged"])
@pytest.mark.parametrize("mtu", MTUS)
@pytest.mark.parametrize("mode, layout, offloads", DEVICES, ids=map(" | ".join, DEVICES))
def test_cell(guest, driver, tagger, mode, layout, offloads, mtu, tags):
    nic = guest.nics[DEVICES.index((mode, layout, offloads))]
    name = guest.interface(nic)
    mtu = min(mtu, most(guest, name, driver, mode))
    negotiated = set(features.negotiated(guest, nic))
    assert ("MRG_RXBUF" in negotiated) == (mode == "mergeable")
    assert LAYOUTS[layout][1] == negotiated & {"RING_PACKED", "IN_ORDER"}
    with link(guest, nic, mtu, partial(vlan.tagged, program=tagger) if tags else None):
        for address, header in [(nic.guest4, 28)] + ([(nic.guest6, 48)] if mtu >= IPV6_MTU else []):
            exchange.udp_echo(address, datagrams(mtu, header))
            size = next(size for limit, size in SIZES if mtu <= limit)
            with Watch(nic) as watch:
                exchange.tcp_to_guest(address, size)
            segmented_as_agreed(watch.to_guest, mtu, size, f"GUEST_TSO{4 if header == 28 else 6}" in negotiated)
            with Watch(nic) as watch:
                exchange.tcp_from_guest(address, size)
            segmented_as_agreed(watch.from_guest, mtu, size, f"HOST_TSO{4 if header == 28 else 6}" in negotiated)
