# SPDX-License-Identifier: GPL-2.0
"""Each step of probe is made to fail, in a module that was built for it: nothing may be left of the others."""

import itertools
import re

import pytest

from lab import driver as drivers
from support import binding, exchange, leaks
from support.kernel_log import errors, no_errors  # noqa: F401
from support.nics import NO_CONTROL_QUEUE, PACKED, SMALL

DEVICES = {
    "plain": {},
    "packed, small, no control queue": PACKED | SMALL | NO_CONTROL_QUEUE,
    "two pairs of queues, chosen by a hash": {"queues": 2, "rss": "on"},
}
NAMES = list(DEVICES)
# More than there are points, so that an end is found.
MOST = 100
FAULT = f"/sys/module/{drivers.RUST.name}/parameters/fault"


@pytest.fixture(scope="module")
def guest(boot, driver, faulty_module):
    files = [faulty_module, exchange.PEER, leaks.POOLS]
    with boot(nics=DEVICES.values(), files=files, **leaks.LOOKED_FOR) as guest:
        driver.load(guest)
        for nic in guest.nics:
            guest.bring_up(nic)
        with exchange.peer_in(guest):
            yield guest


def of_fault(lines, device):
    """The point that failed, and what else the driver said: at most one more line."""
    points = [line for line in lines if "fault point: " in line]
    others = [line for line in lines if line not in points and "probe with driver" not in line]
    assert len(points) == 1 and len(others) <= 1, lines
    assert all(f" {device}: " in line for line in others), others
    return re.search("fault point: (.*) fails", points[0])[1]


@pytest.mark.parametrize("name", NAMES)
def test_each_fault(guest, driver, name):
    nic = guest.nics[NAMES.index(name)]
    device = guest.virtio_device(nic)
    pools = leaks.pools_in_use(guest)
    points = []
    for number in itertools.count(1):
        assert number < MOST, points
        binding.unbind(guest, driver, device)
        guest.run(f"echo {number} >{FAULT}")
        if binding.bind(guest, driver, device, check=False):
            break
        points.append(of_fault(errors(guest), device))
        leaks.nothing_left(guest, nic, device)
        leaks.wait_for_pools(guest, pools - nic.queues)
        guest.run(f"echo 0 >{FAULT}")
        binding.bind(guest, driver, device)
        guest.bring_up(nic)
        exchange.ping(guest.run, nic.host4)
    # What was not passed is still to be counted down: all points were reached before.
    assert int(guest.read(FAULT)) > 0
    guest.run(f"echo 0 >{FAULT}")
    print("fault points:", ", ".join(points))
    assert len(points) >= 5
    guest.bring_up(nic)
    exchange.everything(guest, nic)


def test_faults_leave_no_memory(guest, driver):
    """All points, in turn, many times."""
    nic = guest.nics[0]
    device = guest.virtio_device(nic)
    binding.unbind(guest, driver, device)
    path = f"{binding.BUS}/drivers/{driver.name}"
    count = f"i=1; while echo $i >{FAULT}; ! echo {device} >{path}/bind; do i=$((i + 1)); done 2>/dev/null; echo $i"
    end = int(guest.run(count).stdout)
    binding.unbind(guest, driver, device)
    errors(guest)

    def fail(rounds):
        one = f"for i in $(seq {end - 1}); do echo $i >{FAULT}; ! echo {device} >{path}/bind || exit 1; done"
        guest.run(f"for round in $(seq {rounds}); do {one}; done 2>/dev/null", timeout=300)
        assert len([line for line in errors(guest) if "fault point: " in line]) == rounds * (end - 1)

    assert not leaks.of_rounds(guest, 20, fail)
    guest.run(f"echo 0 >{FAULT}")
    binding.bind(guest, driver, device)
    guest.bring_up(nic)
    exchange.everything(guest, nic)


def test_module_that_finds_a_fault(guest, driver):
    """The parameter counts from loading on: the first device to be probed fails, the others do not."""
    driver.unload(guest)
    driver.load(guest, "fault=1")
    said = errors(guest)
    assert len([line for line in said if "fault point: " in line]) == 1
    assert len(binding.bound(guest, driver)) == len(guest.nics) - 1
    driver.unload(guest)
    driver.load(guest)
    for nic in guest.nics:
        guest.bring_up(nic)
        exchange.ping(guest.run, nic.host4)
