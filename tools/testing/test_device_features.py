# SPDX-License-Identifier: GPL-2.0
"""Features that a device offers without those which they depend on: the driver does without them."""

import pytest

from lab import features
from support import exchange, faults, ordered
from support.kernel_log import no_errors  # noqa: F401

PLAIN = "MAC STATUS CTRL_VQ VERSION_1 MRG_RXBUF"
SUMS = " GUEST_UDP_TUNNEL_GSO_CSUM HOST_UDP_TUNNEL_GSO_CSUM"
TUNNELS = " GUEST_UDP_TUNNEL_GSO HOST_UDP_TUNNEL_GSO" + SUMS
ALL_GSO = "CSUM GUEST_CSUM GUEST_TSO4 GUEST_TSO6 GUEST_USO4 GUEST_USO6 HOST_TSO4 HOST_TSO6 HOST_USO"
# What is offered too, and what of it is taken.
OFFERS = {
    "nothing is checked": ("GUEST_TSO4 GUEST_TSO6 GUEST_ECN GUEST_UFO GUEST_USO4 GUEST_USO6", ""),
    "nothing is summed": ("HOST_TSO4 HOST_TSO6 HOST_ECN HOST_UFO HOST_USO", ""),
    "nothing has ECN": ("CSUM GUEST_CSUM HOST_ECN GUEST_ECN", "CSUM GUEST_CSUM"),
    "no GSO in IPv6": (
        "CSUM GUEST_CSUM GUEST_TSO4 GUEST_USO4 HOST_TSO4 HOST_USO" + TUNNELS,
        "CSUM GUEST_CSUM GUEST_TSO4 GUEST_USO4 HOST_TSO4 HOST_USO",
    ),
    "no GSO of datagrams": (
        "CSUM GUEST_CSUM GUEST_TSO4 GUEST_TSO6 HOST_TSO4 HOST_TSO6" + TUNNELS,
        "CSUM GUEST_CSUM GUEST_TSO4 GUEST_TSO6 HOST_TSO4 HOST_TSO6",
    ),
    "no GSO in tunnels": (ALL_GSO + SUMS, ALL_GSO),
    "all GSO": (ALL_GSO + TUNNELS,) * 2,
    "all is there": ("CSUM GUEST_CSUM HOST_TSO4 HOST_ECN GUEST_TSO6 GUEST_ECN",) * 2,
}
NAMES = list(OFFERS)


@pytest.fixture(scope="module")
def guest(boot, driver):
    # Those about tunnels are beyond what vhost-user has.
    nics = [
        ordered.made(f"{PLAIN} {offered}", way="vfio-user" if "TUNNEL" in offered else "vhost-user")
        for offered, _ in OFFERS.values()
    ]
    with faults.serving(boot, driver, nics) as guest:
        yield guest


@pytest.mark.parametrize("name", NAMES)
def test_features(guest, name):
    nic = guest.nics[NAMES.index(name)]
    assert set(features.negotiated(guest, nic)) == set(f"{PLAIN} {OFFERS[name][1]}".split())
    exchange.everything(guest, nic)
