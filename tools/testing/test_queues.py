# SPDX-License-Identifier: GPL-2.0
"""Several pairs of queues: all of them carry packets, and their number changes under traffic."""

import contextlib

import pytest

from support import exchange, leaks, queues
from support.kernel_log import no_errors  # noqa: F401
from support.nics import PACKED, SMALL

PAIRS = 4


@pytest.fixture(scope="module")
def guest(boot, driver):
    options = {"files": [exchange.PEER, leaks.POOLS], "cmdline": leaks.CMDLINE, "cpus": PAIRS, "memory": "2G"}
    nics = [{"queues": PAIRS}, {"queues": PAIRS} | PACKED | SMALL, {"queues": PAIRS + 4}, {}]
    with boot(nics=nics, **options) as guest:
        driver.load(guest)
        for nic in guest.nics:
            guest.bring_up(nic)
        with exchange.peer_in(guest), exchange.peer_on_host():
            yield guest


@pytest.fixture(params=[0, 1], ids=["split", "packed, small"])
def nic(guest, request):
    nic = guest.nics[request.param]
    queues.use(guest, guest.interface(nic), PAIRS)
    return nic


def test_as_many_as_cpus_at_first(guest):
    """And not more than the device has."""
    found = [queues.used(guest, guest.interface(nic)) for nic in guest.nics]
    assert found == [(PAIRS, PAIRS), (PAIRS, PAIRS), (PAIRS, PAIRS + 4), (1, 1)]
    assert [queues.stack_has(guest, guest.interface(nic)) for nic in guest.nics] == [(n, n) for n, _ in found]


def test_all_queues_carry_packets(guest, nic):
    name, device = guest.interface(nic), guest.virtio_device(nic)
    assert queues.carried(guest, nic, name, device) == queues.names(PAIRS)


def test_only_used_queues_carry_packets(guest, nic):
    name, device = guest.interface(nic), guest.virtio_device(nic)
    for pairs in (2, 1, 3):
        queues.use(guest, name, pairs)
        assert queues.used(guest, name) == (pairs, PAIRS)
        assert queues.stack_has(guest, name) == (pairs, pairs)
        # What was under way when the number changed.
        guest.run("sleep 0.2")
        assert queues.carried(guest, nic, name, device) == queues.names(pairs)
    exchange.everything(guest, nic)


def test_more_queues_than_cpus(guest):
    nic = guest.nics[2]
    name, device = guest.interface(nic), guest.virtio_device(nic)
    queues.use(guest, name, PAIRS + 4)
    carried = queues.carried(guest, nic, name, device)
    # A CPU sends through one queue, so there is nothing to be had from the others.
    assert len(carried) >= 2 * PAIRS, carried
    exchange.everything(guest, nic)
    queues.use(guest, name, PAIRS)


REFUSED = ["combined 0", f"combined {PAIRS + 1}", "rx 1", "tx 1", "other 1", "combined 65537", "combined 1 rx 1"]


@pytest.mark.parametrize("what", REFUSED)
def test_refused_numbers(guest, nic, what):
    name = guest.interface(nic)
    done = guest.run(f"ethtool -L {name} {what}", check=False)
    assert done.rc != 0 and "Invalid argument" in done.stderr, done
    assert queues.used(guest, name) == (PAIRS, PAIRS)


def test_one_queue_cannot_be_changed(guest):
    name = guest.interface(guest.nics[3])
    assert guest.run(f"ethtool -L {name} combined 2", check=False).rc != 0
    assert queues.used(guest, name) == (1, 1)


def carrier_changes(guest, name):
    return int(guest.run(["cat", f"/sys/class/net/{name}/carrier_changes"]).stdout)


def change(guest, name, rounds):
    numbers = " ".join(["1", "4", "2", "1"] * rounds)
    guest.run(f"set -e; for n in {numbers}; do ethtool -L {name} combined $n; done", timeout=600)


def test_changes_under_traffic(guest, nic):
    """The link stays, connections do, and nothing is lost for good."""
    name = guest.interface(nic)
    before, pools = carrier_changes(guest, name), len(leaks.pools(guest))
    with contextlib.ExitStack() as stack:
        stack.enter_context(exchange.flooded(guest, nic))
        for _ in range(10):
            change(guest, name, 10)
            exchange.reaches(guest.run, nic.host4)
            exchange.tcp_to_guest(nic.guest4, 1 << 18)
            exchange.tcp_from_guest(nic.guest6, 1 << 18)
    assert carrier_changes(guest, name) == before
    queues.use(guest, name, PAIRS)
    assert queues.carried(guest, nic, name, guest.virtio_device(nic)) == queues.names(PAIRS)
    exchange.everything(guest, nic)
    leaks.wait_for_pools(guest, pools)


def test_changes_leave_no_memory(guest, nic):
    assert not leaks.of_rounds(guest, 25, lambda rounds: change(guest, guest.interface(nic), rounds))


def test_change_while_down(guest, nic):
    name, device = guest.interface(nic), guest.virtio_device(nic)
    for pairs in (1, PAIRS):
        guest.run(f"ip link set {name} down && ethtool -L {name} combined {pairs}")
        assert queues.used(guest, name) == (pairs, PAIRS)
        guest.run(f"ip link set {name} up && ip address replace {nic.guest6}/64 dev {name} nodad")
        assert queues.carried(guest, nic, name, device) == queues.names(pairs)
    exchange.everything(guest, nic)


def test_reload_under_traffic(guest, driver):
    """All queues of all NICs, all at once."""
    with contextlib.ExitStack() as stack:
        for nic in guest.nics[:2]:
            stack.enter_context(exchange.flooded(guest, nic))
        for _ in range(5):
            driver.unload(guest)
            driver.load(guest)
            for nic in guest.nics:
                guest.bring_up(nic)
                exchange.reaches(guest.run, nic.host4)
    for nic in guest.nics[:2]:
        name, device = guest.interface(nic), guest.virtio_device(nic)
        assert queues.carried(guest, nic, name, device) == queues.names(PAIRS)
        exchange.everything(guest, nic)
