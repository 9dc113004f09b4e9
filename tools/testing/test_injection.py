# SPDX-License-Identifier: GPL-2.0
"""One in a hundred allocations of the driver's fails, whatever it does: each time it says so and leaves nothing, or goes
on, and all works again as soon as there is memory."""

import itertools
import json

import pytest

from support import binding, exchange, injection, leaks, rings
from support.kernel_log import errors
from support.kernels import debug_only
from support.nics import BIG, PACKED, SMALL

pytestmark = debug_only("the stock kernel cannot refuse memory")

DEVICES = {"mergeable, packed": PACKED | {"queues": 2}, "big": BIG, "small": SMALL}
# How many failures each test waits for, and how many attempts it makes at most until they have come.
FAILURES, MOST = 5, 200
LONG, SHORT = 256, 64


@pytest.fixture(scope="module")
def guest(boot, driver):
    with boot(nics=DEVICES.values(), files=[exchange.PEER, leaks.POOLS], leaks=True) as guest:
        driver.load(guest)
        for nic in guest.nics:
            guest.bring_up(nic)
        with exchange.peer_in(guest), exchange.peer_on_host():
            yield guest


@pytest.fixture(params=DEVICES)
def nic(guest, request):
    """Works again after the test, and says no more errors."""
    nic = guest.nics[list(DEVICES).index(request.param)]
    pools = leaks.pools_in_use(guest)
    yield nic
    guest.bring_up(nic)
    errors(guest)
    exchange.everything(guest, nic)
    leaks.wait_for_pools(guest, pools)
    assert errors(guest) == []


@pytest.fixture(scope="module")
def text(guest, driver):
    """The driver's. Beside traffic it can take minutes to look for it."""
    return injection.text_of(guest, driver.name)


@pytest.fixture
def attempts(guest, text):
    """Numbers, until enough allocations have failed."""

    def numbers():
        with injection.injected(guest, text):
            for number in itertools.count():
                refused = injection.refused(guest)
                if sum(refused.values()) >= FAILURES:
                    print("after", number, "attempts", refused)
                    return
                assert number < MOST, f"too few allocations have failed: {refused}"
                yield number

    return numbers


def test_probe_and_remove(guest, driver, nic, attempts):
    device = guest.virtio_device(nic)
    binding.unbind(guest, driver, device)
    for _ in attempts():
        if binding.bind(guest, driver, device, check=False):
            binding.unbind(guest, driver, device)
        leaks.nothing_left(guest, nic, device)
    binding.bind(guest, driver, device)


def test_open(guest, nic, attempts):
    name = guest.interface(nic)
    for _ in attempts():
        guest.run(["ip", "link", "set", name, "down"])
        done = guest.run(["ip", "link", "set", name, "up"], check=False)
        flags = json.loads(guest.run(["ip", "-json", "link", "show", name]).stdout)[0]["flags"]
        assert ("UP" in flags) == (done.rc == 0), done


def test_traffic(guest, nic, attempts):
    with exchange.flooded(guest, nic):
        for _ in attempts():
            exchange.reaches(nic)


def test_resize(guest, nic, attempts):
    name = guest.interface(nic)
    with exchange.flooded(guest, nic):
        for number in attempts():
            before, _ = rings.sizes(guest, name)
            wanted = (SHORT, SHORT) if number % 2 == 0 else (LONG, LONG)
            done = rings.resize(guest, name, *wanted, check=False)
            now, _ = rings.sizes(guest, name)
            assert now == wanted or (done.rc != 0 and all(size in pair for size, pair in zip(now, zip(before, wanted)))), now
            exchange.reaches(nic)
    rings.resize(guest, name, LONG, LONG)
