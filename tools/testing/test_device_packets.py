# SPDX-License-Identifier: GPL-2.0
"""Packets that are spread over any number of buffers, on any queue, with headers of each length, arrive byte for byte."""

import pytest

from lab import features
from support import counters, exchange, ordered, peer
from support.kernel_log import no_errors  # noqa: F401
from support.kernels import all_only

pytestmark = all_only("the device does right here, which make check has with the stock kernel")

PLAIN = "MAC STATUS CTRL_VQ VERSION_1"
HASHES = {"key_size": 40, "table_size": 8, "hash_types": 0x1FF}
DEVICES = {
    "small": (PLAIN, 1, {}),
    "mergeable": (PLAIN + " MRG_RXBUF INDIRECT_DESC EVENT_IDX", 1, {}),
    "packed, small": (PLAIN + " RING_PACKED", 1, {}),
    "packed, mergeable": (PLAIN + " RING_PACKED MRG_RXBUF INDIRECT_DESC EVENT_IDX", 1, {}),
    "packed, mergeable, pci": (PLAIN + " RING_PACKED MRG_RXBUF INDIRECT_DESC EVENT_IDX", 1, {"way": "vfio-user"}),
    "small, hashes": (PLAIN + " HASH_REPORT", 1, HASHES),
    "mergeable, queues, hashes": (PLAIN + " MRG_RXBUF MQ RSS HASH_REPORT INDIRECT_DESC", 2, HASHES),
}
NAMES = list(DEVICES)
# What the peer takes.
LONGEST = peer.PIECE
# Around what is copied, half a page, a page, and what fills many buffers.
LENGTHS = (14, 60, 126, 127, 128, 129, 1000, 1514)
LONG = (1515, 2000, 4000, 4096, 9000, 40_000, LONGEST)
# Bytes in each buffer. The Ethernet header has to be in the first.
PIECES = (64, 200, 1000)
# How many packets come through each queue.
EACH = 20


@pytest.fixture(scope="module")
def guest(boot, driver):
    nics = [ordered.made(names, pairs, **config) for names, pairs, config in DEVICES.values()]
    files = [exchange.PEER, counters.NETDEV]
    with boot(nics=nics, files=files, shared_memory=True, cpus=2) as guest:
        driver.load(guest)
        for nic in guest.nics:
            name = guest.bring_up(nic)
            # Nothing is too long to be sent back.
            if "MRG_RXBUF" in features.negotiated(guest, nic):
                guest.run(["ip", "link", "set", name, "mtu", 65535])
        with exchange.peer_in(guest):
            yield guest


@pytest.fixture(params=NAMES)
def nic(guest, request):
    return guest.nics[NAMES.index(request.param)]


@pytest.fixture(params=[name for name in NAMES if "mergeable" in name])
def merging(guest, request):
    return guest.nics[NAMES.index(request.param)]


@pytest.mark.parametrize("name", NAMES)
def test_rings(guest, name):
    assert ("RING_PACKED" in features.negotiated(guest, guest.nics[NAMES.index(name)])) == ("packed" in name)


def test_lengths(nic):
    for length in LENGTHS:
        assert ordered.echo(nic, length) == 1


def test_long_packets(merging):
    for length in LONG:
        buffers = ordered.echo(merging, length)
        # No buffer is longer than a page.
        assert buffers > 1 or length < 4096


@pytest.mark.parametrize("most", PIECES)
def test_pieces(merging, most):
    """A packet of 200 buffers needs a list of packets that hold its fragments."""
    size = 20 if merging.pairs > 1 else 12
    for length in (most - size, most - size + 1, 20 * most, 200 * most - size):
        length = min(length, LONGEST)
        assert ordered.echo(merging, length, most=most) == -(-(length + size) // most)


def test_each_queue(guest):
    """What comes through a queue counts there."""
    nic = guest.nics[-1]
    name = guest.interface(nic)
    before = counters.of_queues(guest, name)
    for queue in range(nic.pairs):
        for _ in range(EACH):
            ordered.echo(nic, 1000, 2 * queue)
    after = counters.of_queues(guest, name)
    for queue in range(nic.pairs):
        came = after[f"rx{queue}"]["rx-packets"] - before[f"rx{queue}"]["rx-packets"]
        # The host's stack has a packet of its own now and then.
        assert EACH <= came < 2 * EACH


def test_headers_that_are_sent(nic):
    """Nothing in it that has not been negotiated."""
    data = ordered.frame(nic, 500)
    ordered.receive(nic, data)
    ((_, header),) = ordered.sent(nic, ordered.answer(data))
    assert set(header.values()) == {0}


def test_traffic(guest, nic):
    exchange.everything(guest, nic)
