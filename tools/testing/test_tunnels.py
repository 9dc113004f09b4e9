# SPDX-License-Identifier: GPL-2.0
"""Traffic in VXLAN tunnels: its packets stay uncut where the device takes tunnels, and are cut in time elsewhere."""

import itertools
from contextlib import contextmanager

import pytest

from lab import features, host, traffic
from support import exchange
from support.kernel_log import no_errors  # noqa: F401
from support.nics import LEGACY, NO_CSUM, NO_TUNNEL, PACKED
from support.watch import Watch

# QEMU 11.1 does not hand on where the headers are in an uncut packet that is for the guest.
WHOLE = {"guest_tunnel": "off", "guest_tunnel_csum": "off"}
DEVICES = {
    "split": WHOLE,
    "packed": PACKED | WHOLE,
    "no tunnels": NO_TUNNEL,
    "no checksums of tunnels": WHOLE | {"host_tunnel_csum": "off"},
    "legacy": LEGACY,
    "no offloads": NO_CSUM | WHOLE,
}
NAMES = list(DEVICES)
PORT = 4789
# Ethernet, IPv6, UDP and VXLAN headers around a frame.
FRAME = 1514
MTU = 1500 - 70
SIZE = 500_000
identifiers = itertools.count(100)


@pytest.fixture(scope="module")
def guest(boot, driver):
    with boot(nics=DEVICES.values(), files=[exchange.PEER]) as guest:
        driver.load(guest)
        guest.run(["modprobe", "vxlan"])
        for nic in guest.nics:
            guest.bring_up(nic)
            exchange.ping(guest.run, nic.host4)
            exchange.ping(guest.run, nic.host6)
        with exchange.peer_in(guest):
            yield guest


@contextmanager
def tunnel(guest, nic, six, checksums):
    """A tunnel with an end on each side, with checksums around its packets or not; gives the guest's addresses in it."""
    number = next(identifiers)
    near, far = (nic.host6, nic.guest6) if six else (nic.host4, nic.guest4)
    if six:
        options = "" if checksums else "udp6zerocsumtx udp6zerocsumrx"
    else:
        options = "udpcsum" if checksums else "noudpcsum"

    def commands(device, local, remote, end):
        return (
            f"ip link add vx{number} mtu {MTU} type vxlan id {number} dstport {PORT} {options} local {local} remote {remote} dev {device} && "
            f"ip address add 10.{number}.0.{end}/24 dev vx{number} && "
            f"ip address add fd00:{number}::{end}/64 dev vx{number} nodad && ip link set vx{number} up"
        )

    gone = f"ip link delete vx{number}"
    host.run("sh", "-c", commands(nic.tap, near, far, 1))
    try:
        guest.run(commands(guest.interface(nic), far, near, 2))
        try:
            yield f"10.{number}.0.2", f"fd00:{number}::2"
        finally:
            guest.run(gone)
    finally:
        host.run("sh", "-c", gone)


def is_uncut(negotiated, checksums):
    """Whether packets in a tunnel leave the guest uncut. Those with a checksum around them need a feature more."""
    return "HOST_UDP_TUNNEL_GSO" in negotiated and (not checksums or "HOST_UDP_TUNNEL_GSO_CSUM" in negotiated)


@pytest.mark.parametrize("checksums", [True, False], ids=["checksums", "no checksums"])
@pytest.mark.parametrize("six", [False, True], ids=["over ipv4", "over ipv6"])
@pytest.mark.parametrize("device", NAMES)
def test_traffic(guest, device, six, checksums):
    nic = guest.nics[NAMES.index(device)]
    negotiated = set(features.negotiated(guest, nic))
    with tunnel(guest, nic, six, checksums) as addresses:
        for address in addresses:
            exchange.reaches(traffic.host_run, address)
            exchange.udp_echo(address, (0, 1, 1000, MTU - 48, MTU, 9000))
            exchange.tcp_to_guest(address, SIZE)
            with Watch(nic) as watch:
                exchange.tcp_from_guest(address, SIZE)
            assert (watch.from_guest.longest > FRAME) == is_uncut(negotiated, checksums)
