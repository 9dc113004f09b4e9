# SPDX-License-Identifier: GPL-2.0
"""The file in sysfs that shows how long receive buffers are: it is there if the device merges them, and follows packets."""

import pytest

from lab import host
from support import queues
from support.kernel_log import no_errors  # noqa: F401
from support.nics import BIG, MERGEABLE, SMALL

PAIRS = 2
LARGE_MTU, LARGE, ENOUGH = 9000, 8000, 400
PAGE = 4096


@pytest.fixture(scope="module")
def guest(boot, driver):
    with boot(nics=[MERGEABLE | {"queues": PAIRS, "host_mtu": str(LARGE_MTU)}, BIG, SMALL]) as guest:
        driver.load(guest)
        yield guest


def folder(guest, nic, queue):
    return f"/sys/class/net/{guest.interface(nic)}/queues/rx-{queue}/virtio_net"


def size(guest, nic, queue=0):
    return int(guest.read(f"{folder(guest, nic, queue)}/mergeable_rx_buffer_size"))


def test_before_any_is_lent(guest):
    """A frame of Ethernet's usual length fits."""
    assert 1514 <= size(guest, guest.nics[0]) < PAGE


def test_only_where_buffers_are_merged(guest):
    for nic in guest.nics[1:]:
        guest.run(f"! test -e {folder(guest, nic, 0)}")


def test_each_queue_that_is_used(guest):
    nic = guest.nics[0]
    name = guest.interface(nic)
    for used in (PAIRS, 1):
        queues.use(guest, name, used)
        for queue in range(PAIRS):
            guest.run(["test", *([] if queue < used else ["!"]), "-r", f"{folder(guest, nic, queue)}/mergeable_rx_buffer_size"])


def test_it_cannot_be_written(guest):
    path = f"{folder(guest, guest.nics[0], 0)}/mergeable_rx_buffer_size"
    assert guest.run(["stat", "-c", "%a", path]).stdout.strip() == "444"


def test_it_follows_the_packets(guest):
    nic = guest.nics[0]
    name = guest.bring_up(nic)
    host.run("ip", "link", "set", nic.tap, "mtu", str(LARGE_MTU))
    guest.run(["ip", "link", "set", name, "mtu", str(LARGE_MTU)])
    small = size(guest, nic)
    guest.run(["ping", "-q", "-A", "-c", str(ENOUGH), "-s", str(LARGE), nic.host4])
    large = size(guest, nic)
    assert small < large <= PAGE
    guest.run(["ping", "-q", "-A", "-c", str(ENOUGH), nic.host4])
    assert size(guest, nic) == small
