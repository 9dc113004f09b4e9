# SPDX-License-Identifier: GPL-2.0
"""Resets of single queues by a device of our own, which takes its time: the rings are resized while packets flow.

What is wrong for the judge of the device: a queue that is used before it is enabled, one that is enabled before its
reset is over, and anything that is added to one meanwhile.
"""

import random

import pytest

from lab import driver as drivers
from lab import features, kernel
from support import exchange, faults, ordered
from support.kernel_log import no_errors  # noqa: F401
from support.restart import built, load, restart
from support.rings import resize, sizes

PLAIN = "MAC STATUS CTRL_VQ VERSION_1 RING_RESET"
# What is offered, how many pairs of queues, and the shortest rings that the driver takes.
DEVICES = {
    "small": (PLAIN, 1, 1, 32),
    "mergeable": (PLAIN + " MRG_RXBUF INDIRECT_DESC EVENT_IDX", 1, 32, 32),
    "packed": (PLAIN + " RING_PACKED MRG_RXBUF EVENT_IDX", 1, 32, 32),
    "queues": (PLAIN + " MRG_RXBUF MQ", 2, 32, 32),
}
NAMES = list(DEVICES)
MOST = 256
SIZE = kernel.rounds(500_000)
ROUNDS = kernel.rounds(20)
# How often the driver reads that a queue is still being reset.
SLOW = 20


@pytest.fixture(scope="module")
def guest(boot, driver, tmp_path_factory):
    nics = [ordered.made(names, pairs, way="vfio-user") for names, pairs, *_ in DEVICES.values()]
    files = [built(tmp_path_factory.mktemp("restart"))]
    with faults.serving(boot, driver, nics, files=files) as guest, exchange.peer_on_host():
        load(guest)
        yield guest


@pytest.fixture(params=NAMES)
def nic(guest, request):
    nic = guest.nics[NAMES.index(request.param)]
    nic.least = DEVICES[request.param][2:]
    yield nic
    nic.order("reset_slowly", reads=1)
    if sizes(guest, nic.name)[0] != (MOST, MOST):
        resize(guest, nic.name, MOST, MOST)


def rings(nic):
    """How long the rings of all queues with packets are."""
    return nic.order("rings")[:-1]


def of(nic, rx, tx):
    return [rx, tx] * nic.pairs


def any_sizes(guest, nic):
    """Those of split rings are powers of two."""
    if "RING_PACKED" in features.negotiated(guest, nic):
        return tuple(random.randint(least, MOST) for least in nic.least)
    return tuple(random.choice([size for size in (1 << bit for bit in range(9)) if size >= least]) for least in nic.least)


@pytest.mark.parametrize("reads", [0, 1, SLOW])
def test_resize(guest, nic, reads):
    nic.order("reset_slowly", reads=reads)
    for wanted in (nic.least, (64, 128), (MOST, MOST)):
        resize(guest, nic.name, *wanted)
        assert rings(nic) == of(nic, *wanted)
        # The device has no place for what comes faster than the driver takes it from a short ring.
        for address in (nic.guest4, nic.guest6):
            exchange.tcp_to_guest(address, SIZE)
            exchange.tcp_from_guest(address, SIZE)


def test_under_traffic(guest, nic):
    random.seed(nic.number)
    with exchange.flooded(guest, nic):
        for number in range(ROUNDS):
            nic.order("reset_slowly", reads=number % 3 * SLOW)
            wanted = any_sizes(guest, nic)
            resize(guest, nic.name, *wanted)
            exchange.reaches(nic)
            assert rings(nic) == of(nic, *wanted)
    resize(guest, nic.name, MOST, MOST)
    exchange.everything(guest, nic)


@pytest.mark.parametrize("reads", [0, SLOW])
def test_new_memory(guest, driver, nic, reads):
    """A queue that is to start with other buffers: none of the old ones is used, and no new one before the queue is back."""
    if driver is drivers.C:
        pytest.skip("C leaves no queue to the stack")
    nic.order("reset_slowly", reads=reads)
    with exchange.flooded(guest, nic):
        for number in range(ROUNDS):
            restart(guest, nic.name, number % nic.pairs)
            exchange.reaches(nic)
    exchange.everything(guest, nic)
