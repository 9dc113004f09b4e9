# SPDX-License-Identifier: GPL-2.0
"""Counters: the C driver's names in its order, and as many as there were packets, in all interfaces alike."""

import socket
import time

import pytest

from lab import driver as drivers
from lab import host
from support import binding, counters, exchange, pktgen, queues
from support.kernel_log import no_errors  # noqa: F401

# What the C driver does not have.
OURS = {"rx-alloc-fail"}
QUEUES = 4
# The longest frame of an interface with the usual MTU.
FULL = 1514


@pytest.fixture(scope="module")
def guest(boot, driver):
    """The second NIC has the C driver, to compare with. The third has no addresses, so that nobody else uses it."""
    nics = [{"queues": QUEUES}, {"queues": QUEUES}, {}]
    with boot(nics=nics, files=[exchange.PEER, counters.NETDEV]) as guest:
        driver.load(guest)
        binding.hand_over(guest, [guest.virtio_device(guest.nics[1])], driver, drivers.C)
        for nic in guest.nics[:2]:
            queues.use(guest, guest.bring_up(nic), 1)
        quiet = guest.nics[2]
        host.run("sysctl", "-qw", f"net.ipv6.conf.{quiet.tap}.disable_ipv6=1")
        host.run("ip", "address", "flush", "dev", quiet.tap)
        name = guest.interface(quiet)
        guest.run(f"sysctl -qw net.ipv6.conf.{name}.disable_ipv6=1 && ip link set {name} up && modprobe pktgen")
        with exchange.peer_in(guest):
            yield guest


@pytest.fixture
def name(guest):
    return guest.interface(guest.nics[0])


@pytest.fixture
def name_of_c(guest):
    return guest.interface(guest.nics[1])


@pytest.fixture
def quiet(guest):
    return guest.interface(guest.nics[2])


@pytest.mark.parametrize("used", [QUEUES, 2, 1])
def test_names_and_order(guest, name, name_of_c, used):
    for interface in (name, name_of_c):
        queues.use(guest, interface, used)
    found = counters.ethtool(guest, name)
    assert list(counters.that_c_has(found)) == list(counters.ethtool(guest, name_of_c))
    assert f"rx{used - 1}_kicks" in found and f"tx{used}_kicks" not in found


@pytest.mark.parametrize("used", [QUEUES, 1])
def test_netlink_has_what_c_has(guest, name, name_of_c, used):
    for interface in (name, name_of_c):
        queues.use(guest, interface, used)
    ours, theirs = counters.of_device(guest, name), counters.of_device(guest, name_of_c)
    assert set(ours) - OURS == set(theirs) and "tx-wake" in theirs
    ours, theirs = counters.of_queues(guest, name), counters.of_queues(guest, name_of_c)
    assert set(ours) == set(theirs) == {f"{way}{index}" for way in ("rx", "tx") for index in range(used)}
    for queue in theirs:
        assert set(ours[queue]) - OURS == set(theirs[queue]), queue


def all_of(guest, name):
    """Everything, in one dictionary."""
    found = {f"{queue} {counter}": value for queue, of in counters.of_queues(guest, name).items() for counter, value in of.items()}
    return found | counters.of_device(guest, name) | counters.ethtool(guest, name) | counters.link(guest, name)


def grown(guest, name, before):
    """What has changed since."""
    return {counter: value - before[counter] for counter, value in all_of(guest, name).items() if value != before[counter]}


def until(guest, name, before, counter, value):
    """What has changed since, once `counter` has grown so much."""
    limit = time.monotonic() + exchange.TIMEOUT
    while True:
        found = grown(guest, name, before)
        if found.get(counter, 0) >= value or time.monotonic() > limit:
            return found
        time.sleep(0.1)


def packets(way, count, size):
    """What so many packets of one size count as."""
    return {
        f"{way}_packets": count,
        f"{way}_bytes": count * size,
        f"{way}-packets": count,
        f"{way}-bytes": count * size,
        f"{way}0 {way}-packets": count,
        f"{way}0 {way}-bytes": count * size,
    }


@pytest.mark.parametrize("size", [60, FULL])
def test_what_is_sent_is_counted(guest, quiet, size):
    before = all_of(guest, quiet)
    sent, _ = pktgen.send(guest, guest.nics[2], quiet, count=2000, pkt_size=size, clone_skb=0)
    found = until(guest, quiet, before, "tx_packets", sent)
    kicks = found.pop("tx_kicks")
    assert 0 < kicks <= sent and found.pop("tx0_kicks") == kicks
    # How often the ring was full depends on the device.
    for counter in ("tx-stop", "tx-wake"):
        assert found.pop(counter, 0) == found.pop(f"tx0 {counter}", 0)
    assert found == packets("tx", 2000, size)


@pytest.mark.parametrize("size", [60, FULL])
def test_what_is_received_is_counted(guest, quiet, size):
    nic = guest.nics[2]
    frame = exchange.mac_bytes(nic.mac) + exchange.mac_bytes(exchange.tap_mac(nic)) + b"\x88\xb6"
    before = all_of(guest, quiet)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as link:
        link.bind((nic.tap, 0))
        for done in range(1, 501):
            link.send(frame.ljust(size, b"\0"))
            # Not more than the ring has room for.
            if done % 100 == 0:
                until(guest, quiet, before, "rx_packets", done)
    found = until(guest, quiet, before, "rx_packets", 500)
    # The device looks for buffers by itself while it has some.
    kicks = found.pop("rx_kicks", 0)
    assert 0 <= kicks <= 500 and found.pop("rx0_kicks", 0) == kicks
    # The stack counts what no protocol takes.
    assert found.pop("rx_nohandler", 0) in (0, 500) and found.pop("rx_dropped", 0) in (0, 500)
    assert found == packets("rx", 500, size)


def test_counters_survive_going_down(guest, name):
    exchange.everything(guest, guest.nics[0])
    before = all_of(guest, name)
    guest.run(["ip", "link", "set", name, "down"])
    between = all_of(guest, name) | counters.of_device(guest, name)
    # Its IPv6 addresses have gone.
    guest.run(f"ip link set {name} up && ip address add {guest.nics[0].guest6}/64 dev {name} nodad")
    exchange.ping(guest.run, guest.nics[0].host4)
    after = all_of(guest, name)
    assert set(after) == set(before)
    for counter, value in before.items():
        # Single queues are not reported while they are not used.
        assert value <= between.get(counter, value) <= after[counter], counter


# Counters that need not move.
RARE = ("rx-alloc-fail", "tx-stop", "tx-wake")


def wrong_sums(found):
    """The counters whose sum is not that over the queues, or that the kernel's interfaces do not agree on."""
    pairs = [counter.split() for counter in found if " " in counter]
    wrong = []
    for counter in {counter for _, counter in pairs}:
        total = sum(found[f"{queue} {of}"] for queue, of in pairs if of == counter)
        if found[counter] != total or not total and counter not in RARE:
            wrong.append((counter, found[counter], total))
    for way in ("rx", "tx"):
        for what in ("packets", "bytes"):
            if found[f"{way}-{what}"] != found[f"{way}_{what}"]:
                wrong.append((f"{way}_{what}", found[f"{way}-{what}"], found[f"{way}_{what}"]))
    return wrong


def test_sums_over_queues(guest, name):
    queues.use(guest, name, QUEUES)
    exchange.everything(guest, guest.nics[0])
    limit = time.monotonic() + exchange.TIMEOUT
    # Until nothing is counted between one look and the next.
    while wrong := wrong_sums(all_of(guest, name)):
        assert time.monotonic() < limit, wrong
        time.sleep(0.5)


def test_no_sum_goes_backwards(guest, driver, name):
    """When queues that have carried traffic go out of use."""
    if not driver.file:
        pytest.skip("in ethtool's sums the C driver leaves out queues that are not used")
    queues.use(guest, name, QUEUES)
    exchange.everything(guest, guest.nics[0])
    before = all_of(guest, name)
    assert any(before[f"{way}{index} {way}-packets"] for way in ("rx", "tx") for index in range(1, QUEUES))
    for used in (2, 1, QUEUES):
        queues.use(guest, name, used)
        after = all_of(guest, name)
        for counter in after:
            assert after[counter] >= before[counter], (counter, used)


def test_page_pools_are_seen(guest, name):
    exchange.everything(guest, guest.nics[0])
    number = counters.index(guest, name)
    pools = [pool for pool in counters.netdev(guest, "usage") if pool.get("ifindex") == number]
    assert len(pools) == QUEUES
    for counters_of_use in (("alloc-fast",), ("alloc-slow",), ("recycle-cached", "recycle-ring")):
        assert sum(pool[counter] for pool in pools for counter in counters_of_use) > 0, counters_of_use
