# SPDX-License-Identifier: GPL-2.0
"""Sending without NAPI (napi_tx=0): packets are let go of at once, and what the device has taken is freed when more come."""

import pytest

from support import exchange, pktgen
from support.kernel_log import no_errors  # noqa: F401
from support.nics import BIG, PACKED
from test_transmit import APART, LAZY, PATTERNS

DEVICES = {
    "plain": ({}, 100_000),
    "packed, big": (PACKED | BIG, 50_000),
    "header apart": (APART, 20_000),
    "lazy": (LAZY, 5_000),
    "lazy, packed, no indirect": (LAZY | PACKED | {"indirect_desc": "off"}, 5_000),
}
NAMES = list(DEVICES)
CHOSEN = ["one by one", "bursts", "clones in bursts", "many fragments"]


@pytest.fixture(scope="module")
def guest(boot, driver):
    with boot(nics=[properties for properties, _ in DEVICES.values()], files=[exchange.PEER]) as guest:
        driver.load(guest, "napi_tx=0")
        guest.run(["modprobe", "pktgen"])
        for nic in guest.nics:
            guest.bring_up(nic)
        with exchange.peer_in(guest):
            yield guest


def inflight(guest, name):
    """Bytes on their way to the device that the stack waits for: none, where it does not wait."""
    return guest.read(f"/sys/class/net/{name}/queues/tx-0/byte_queue_limits/inflight").strip()


@pytest.mark.parametrize("device", DEVICES)
def test_traffic(guest, device):
    nic = guest.nics[NAMES.index(device)]
    exchange.everything(guest, nic)
    assert inflight(guest, guest.interface(nic)) == "0"


@pytest.mark.parametrize("pattern", CHOSEN)
@pytest.mark.parametrize("device", DEVICES)
def test_all_that_is_sent_arrives(guest, device, pattern):
    nic = guest.nics[NAMES.index(device)]
    pktgen.all_arrive(guest, nic, guest.interface(nic), DEVICES[device][1], nudge=True, **PATTERNS[pattern])


@pytest.mark.parametrize("device", DEVICES)
def test_both_ways_at_once(guest, device):
    nic = guest.nics[NAMES.index(device)]
    with exchange.peer_on_host(), exchange.flooded(guest, nic):
        exchange.tcp_from_guest(nic.guest4)
        exchange.tcp_to_guest(nic.guest6)
    exchange.everything(guest, nic)

