# SPDX-License-Identifier: GPL-2.0
"""Traffic in VXLAN tunnels: GSO packets where the device takes tunnels, which are segmented in time elsewhere."""

import pytest

from lab import features, traffic
from support import exchange
from support.kernel_log import no_errors  # noqa: F401
from support.nics import LEGACY, NO_CSUM, NO_TUNNEL, PACKED
from support.tunnels import MTU, tunnel
from support.watch import Watch

# QEMU 11.1 does not hand on where the headers are in a GSO packet that is for the guest.
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
# The longest frame of an MTU of 1500.
FRAME = 1514
SIZE = 500_000


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


def is_gso(negotiated, checksums):
    """Whether GSO packets in a tunnel leave the guest. Those with a checksum around them need a feature more."""
    return "HOST_UDP_TUNNEL_GSO" in negotiated and (not checksums or "HOST_UDP_TUNNEL_GSO_CSUM" in negotiated)


@pytest.mark.parametrize("checksums", [True, False], ids=["checksums", "no checksums"])
@pytest.mark.parametrize("six", [False, True], ids=["over ipv4", "over ipv6"])
@pytest.mark.parametrize("device", NAMES)
def test_traffic(guest, device, six, checksums):
    nic = guest.nics[NAMES.index(device)]
    negotiated = set(features.negotiated(guest, nic))
    with tunnel(guest, nic, six, checksums) as addresses:
        for address in addresses:
            exchange.answers(traffic.host_run, address)
            exchange.udp_echo(address, (0, 1, 1000, MTU - 48, MTU, 9000))
            exchange.tcp_to_guest(address, SIZE)
            with Watch(nic) as watch:
                exchange.tcp_from_guest(address, SIZE)
            assert (watch.from_guest.longest > FRAME) == is_gso(negotiated, checksums)
