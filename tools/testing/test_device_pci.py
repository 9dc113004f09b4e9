# SPDX-License-Identifier: GPL-2.0
"""A device of our own that is a whole PCI function: traffic, and what the driver does to get there."""

import pytest

from lab import features
from support import exchange, faults, ordered
from support.kernel_log import no_errors  # noqa: F401

PLAIN = "MAC STATUS CTRL_VQ VERSION_1"
DEVICES = {
    "small": (PLAIN, 1),
    "mergeable": (PLAIN + " MRG_RXBUF INDIRECT_DESC EVENT_IDX RING_RESET", 1),
    "packed": (PLAIN + " RING_PACKED MRG_RXBUF INDIRECT_DESC EVENT_IDX RING_RESET", 1),
    "queues": (PLAIN + " MRG_RXBUF MQ RING_RESET", 2),
}
NAMES = list(DEVICES)


@pytest.fixture(scope="module")
def guest(boot, driver):
    nics = [ordered.made(names, pairs, way="vfio-user") for names, pairs in DEVICES.values()]
    with faults.serving(boot, driver, nics) as guest:
        yield guest


@pytest.fixture(params=NAMES)
def nic(guest, request):
    return guest.nics[NAMES.index(request.param)]


def test_features(guest, nic):
    """All that is offered is taken, and both sides say the same of it."""
    offered = set(nic.settings["features"])
    assert set(features.bits(guest, nic)) == set(nic.order("features")) == offered


def test_traffic(guest, nic):
    exchange.everything(guest, nic)
