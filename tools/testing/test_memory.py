# SPDX-License-Identifier: GPL-2.0
"""No memory for receive buffers, under traffic: nothing spins meanwhile, and afterwards all goes on by itself. And memory that is
the device's for ever, as it does not come out of a reset."""

import re
import socket
import time
from contextlib import contextmanager

import pytest

from lab import driver as drivers
from lab import kernel, xdp
from support import binding, counters, exchange, faults, leaks, sockets
from support.bpf import programs  # noqa: F401
from support.kernel_log import errors, no_errors  # noqa: F401
from support.nics import BIG, MERGEABLE, PACKED, SMALL, queue_size

DEVICES = {
    "small": SMALL,
    "big": BIG,
    "mergeable": MERGEABLE,
    "mergeable, packed": MERGEABLE | PACKED,
}
NAMES = list(DEVICES)
PARAMETERS = f"/sys/module/{drivers.RUST.name}/parameters"
# There is no memory for receive buffers; devices do not come out of a reset, as far as the driver can see.
MEMORY, RESET = "fault_memory", "fault_reset"
# A queue without memory tries again every 10 ms.
TRIES_A_SECOND = 100


@pytest.fixture(scope="module")
def guest(boot, driver, faulty_module, programs):
    files = [faulty_module, exchange.PEER, leaks.POOLS, counters.NETDEV, programs, sockets.PROGRAM]
    with boot(nics=DEVICES.values(), files=files, **leaks.LOOKED_FOR) as guest:
        driver.load(guest)
        xdp.load(guest)
        for nic in guest.nics:
            guest.bring_up(nic)
        with exchange.peer_in(guest):
            yield guest


@contextmanager
def fault(guest, name):
    guest.run(f"echo 1 >{PARAMETERS}/{name}")
    try:
        yield
    finally:
        guest.run(f"echo 0 >{PARAMETERS}/{name}")


def failures(guest, name):
    return counters.of_queues(guest, name)["rx0"]["rx-alloc-fail"]


def uptime(guest):
    return float(guest.read("/proc/uptime").split()[0])


def use_up(guest, nic, name):
    """Sends until no more packets come up, as no buffer is left for them."""
    limit = time.monotonic() + kernel.patient(60)
    unchanged, last = 0, -1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect((nic.guest4, 9))
        while unchanged < 5 or failures(guest, name) == 0:
            assert time.monotonic() < limit, "there was always a buffer"
            for _ in range(64):
                try:
                    sender.send(bytes(1000))
                except OSError:
                    # Nobody listens there.
                    pass
            now = counters.link(guest, name)["rx_packets"]
            unchanged = unchanged + 1 if now == last else 0
            last = now


@pytest.mark.parametrize("device", NAMES)
def test_no_memory(guest, device):
    nic = guest.nics[NAMES.index(device)]
    name = guest.interface(nic)
    exchange.everything(guest, nic)
    with fault(guest, MEMORY):
        use_up(guest, nic, name)
        tried, since = failures(guest, name), uptime(guest)
        time.sleep(3)
        tried, since = failures(guest, name) - tried, uptime(guest) - since
    # It is tried again and again, but only in its time: a poll that spins tries thousands of times.
    assert 0 < tried <= 2 * TRIES_A_SECOND * since
    exchange.reaches(nic)
    exchange.everything(guest, nic)


@pytest.mark.parametrize("device", NAMES)
def test_another_size_without_memory(guest, device):
    """The ring gets it, and buffers when there is memory again."""
    nic = guest.nics[NAMES.index(device)]
    name = guest.interface(nic)
    before = failures(guest, name)
    with fault(guest, MEMORY):
        guest.run(["ethtool", "-G", name, "rx", 128])
        assert queue_size(guest, nic, 0) == 128
        assert failures(guest, name) > before
    exchange.reaches(nic)
    exchange.pings(guest, nic)


LEFT = re.compile(r"does not come out of its reset: (\d+) buffers, which it may write to, are never used again$")


def left(lines):
    """How many buffers a device was left, which was said once."""
    [count] = [int(found[1]) for found in map(LEFT.search, lines) if found]
    return count


def reset_in_vain(guest, name):
    """Until the device has not come back once; returns what was said."""
    with fault(guest, RESET):
        guest.run(["ethtool", "--reset", name, "all"])
        return faults.said(guest, re.compile("device does not come back from its reset"))


def test_chunks_without_reset(guest, driver):
    """The pages of a process whose AF_XDP socket has lent them stay as they are when it has ended. Its socket goes on before that."""
    nic = guest.nics[NAMES.index("mergeable, packed")]
    # Of what has been received before, the pool may have pages left.
    faults.bind_again(guest, driver, nic)
    name, pages = guest.interface(nic), leaks.used(guest)["pages"]
    with sockets.spawn(guest, name) as process:
        process.says("bound")
        exchange.reaches(nic)
        said = reset_in_vain(guest, name)
        exchange.reaches(nic)
        sockets.ends(guest, process)
    # A chunk is a page.
    assert guest.leaks or leaks.used(guest)["pages"] - pages > left(said) // 2 > 64
    exchange.everything(guest, nic)
    errors(guest)


@pytest.mark.parametrize("device", NAMES)
def test_unbound_without_reset(guest, driver, device):
    """Whatever the device may still write to is not used for anything else, and what it belonged to does not wait for it."""
    nic = guest.nics[NAMES.index(device)]
    faults.bind_again(guest, driver, nic)
    bound, pools, pages = guest.virtio_device(nic), leaks.pools_in_use(guest), leaks.used(guest)["pages"]
    with fault(guest, RESET):
        binding.unbind(guest, driver, bound)
        said = errors(guest)
        assert len(said) == 1, said
        leaks.wait_for_pools(guest, pools - 1)
    binding.bind(guest, driver, bound)
    guest.bring_up(nic)
    # Some buffers may lie in one page. The debug kernel keeps for itself what was freed, too.
    assert guest.leaks or leaks.used(guest)["pages"] - pages > left(said) // 8
    exchange.everything(guest, nic)


def test_healed_without_reset(guest):
    """It is not set up meanwhile, and is as soon as it is in reset."""
    nic = guest.nics[NAMES.index("mergeable")]
    name = guest.interface(nic)
    said = reset_in_vain(guest, name)
    exchange.reaches(nic)
    assert counters.ethtool(guest, name)["watchdog_abandoned"] >= left(said)
    exchange.everything(guest, nic)
    errors(guest)
