# SPDX-License-Identifier: GPL-2.0
"""A device that refuses numbers of pairs of queues: another one is used that it takes."""

import pytest

from lab import driver as drivers
from support import counters, exchange, faults, healing, ordered, queues
from support.kernel_log import errors, no_errors  # noqa: F401

CPUS, PAIRS = 2, 4
OFFERED = "MAC MRG_RXBUF STATUS CTRL_VQ MQ VERSION_1 RING_RESET"
PAIRS_SET = (4, 0)
# In which order the numbers are tried: of those that suit the CPUs the largest, then the largest at all.
TRIED = (2, 1, 4, 3)


@pytest.fixture(scope="module")
def guest(boot, driver):
    with faults.serving(boot, driver, [ordered.made(OFFERED, PAIRS)], files=[counters.NETDEV], cpus=CPUS) as guest:
        yield guest


@pytest.mark.parametrize("refused", range(len(TRIED) + 1))
def test_refused(guest, driver, refused):
    (nic,) = guest.nics
    nic.order("script", answers=[{"command": PAIRS_SET, "ack": 1}] * refused)
    ordered.forget_commands(nic)
    faults.bind_again(guest, driver, nic)
    tried = [int.from_bytes(bytes.fromhex(body), "little") for code, body in ordered.commands(nic) if code == PAIRS_SET]
    assert tuple(tried) == TRIED[: refused + 1]
    assert queues.used(guest, nic.name) == ((*TRIED, 1)[refused], PAIRS)
    exchange.pings(guest, nic)
    assert errors(guest) == []


def test_set_by_hand(guest, driver):
    """The log says which number was refused."""
    (nic,) = guest.nics
    nic.order("script", answers=[{"command": PAIRS_SET, "ack": 1}])
    before = queues.used(guest, nic.name)
    guest.run(["dmesg", "--clear"])
    assert guest.run(["ethtool", "-L", nic.name, "combined", "3"], check=False).rc != 0
    assert "does not change to 3 pairs of queues" in guest.run(["dmesg", "--notime"]).stdout
    assert queues.used(guest, nic.name) == before
    exchange.pings(guest, nic)


def test_fewer_after_a_reset(guest, driver):
    """The stack goes on with a queue that is leased, though the device does not use it any more: else the lease could not end, and the
    device not go."""
    if driver is drivers.C:
        pytest.skip("C leaves no queue to the stack")
    (nic,) = guest.nics
    queues.use(guest, nic.name, 2)
    counters.netdev(guest, "netkit", "nk0", 4)
    lease = [counters.index(guest, nic.name), 1, counters.index(guest, "nk0"), counters.netdev(guest, "lease", "nk0", nic.name, 1)]
    nic.order("script", answers=[{"command": PAIRS_SET, "ack": 1}] * len(TRIED))
    healing.by_hand(guest, nic)
    assert queues.used(guest, nic.name) == (1, PAIRS) and queues.stack_has(guest, nic.name) == (2, 1)
    assert counters.netdev(guest, "leases") == [lease]
    exchange.pings(guest, nic)
    errors(guest)
    faults.bind_again(guest, driver, nic)
    assert not counters.netdev(guest, "leases") and "nk0" not in guest.run(["ip", "link"]).stdout
    exchange.pings(guest, nic)
