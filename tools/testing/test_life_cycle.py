# SPDX-License-Identifier: GPL-2.0
"""Loading, unloading, binding, plugging, setting up and down, again and again, idle and under traffic."""

import contextlib

import pytest

from lab import kernel
from support import binding, exchange, leaks, modules
from support.kernel_log import errors, no_errors  # noqa: F401
from support.nics import PACKED, SMALL

ROUNDS = kernel.rounds(50)
PLUGS = kernel.rounds(20)


TRACING = "/sys/kernel/tracing"
QUEUED = f"{TRACING}/events/workqueue/workqueue_queue_work/enable"


@pytest.fixture(scope="module")
def guest(boot, driver, tmp_path_factory):
    refuse = modules.build("refuse", tmp_path_factory.mktemp("modules"))
    nics = [{"bus": "port0", "disable-legacy": "on"}, PACKED | SMALL]
    options = leaks.LOOKED_FOR | {"files": [exchange.PEER, leaks.POOLS, refuse], "root_ports": 1, "memory": "2G"}
    with boot(nics=nics, **options) as guest:
        driver.load(guest)
        # Incomplete datagrams hold pages of a device that has gone, by default for half a minute.
        guest.run("echo 1 >/proc/sys/net/ipv4/ipfrag_time")
        with exchange.peer_in(guest):
            yield guest


@pytest.fixture
def nics(guest):
    for nic in guest.nics:
        guest.bring_up(nic)
    pools = leaks.pools_in_use(guest)
    yield guest.nics
    # Whatever the test did: all of it works, and there are as many page pools as before.
    for nic in guest.nics:
        guest.bring_up(nic)
        exchange.everything(guest, nic)
    leaks.wait_for_pools(guest, pools)


def reload(guest, driver):
    load = f"insmod /payload/{driver.file}" if driver.file else f"modprobe {driver.name}"
    guest.run(f"rmmod {driver.name} && {load}")


@contextlib.contextmanager
def traffic(guest, under):
    """Through all NICs, or none."""
    with contextlib.ExitStack() as stack:
        if under:
            stack.enter_context(exchange.peer_on_host())
            for nic in guest.nics:
                stack.enter_context(exchange.flooded(guest, nic))
        yield


under_traffic = pytest.mark.parametrize("under", [False, True], ids=["idle", "under traffic"])


@under_traffic
def test_load_and_unload(guest, nics, driver, under):
    with traffic(guest, under):
        for _ in range(ROUNDS):
            reload(guest, driver)
            for nic in nics:
                guest.bring_up(nic)
                exchange.reaches(nic)


@under_traffic
def test_unbind_and_bind(guest, nics, driver, under):
    devices = [guest.virtio_device(nic) for nic in nics]
    with traffic(guest, under):
        for i in range(ROUNDS):
            nic, device = nics[i % 2], devices[i % 2]
            binding.unbind(guest, driver, device)
            leaks.nothing_left(guest, nic, device)
            # The other one goes on.
            exchange.reaches(nics[1 - i % 2])
            binding.bind(guest, driver, device)
            guest.bring_up(nic)
            exchange.reaches(nic)


def test_registration_that_is_refused(guest, nics, driver):
    """By somebody who has opened the interface before: it is closed, nothing is left, and nothing is to be done later."""
    nic, other = nics
    device, another = guest.virtio_device(nic), guest.virtio_device(other)
    binding.unbind(guest, driver, device)
    # Those that are bound are looked at from time to time.
    binding.unbind(guest, driver, another)
    guest.run("insmod /payload/refuse.ko")
    guest.run(f"mount -t tracefs none {TRACING} 2>/dev/null; echo >{TRACING}/trace && echo 1 >{QUEUED}")
    assert not binding.bind(guest, driver, device, check=False)
    guest.run(f"echo 0 >{QUEUED}; rmmod refuse")
    queued = [line for line in guest.read(f"{TRACING}/trace").splitlines() if f"[{driver.name}]" in line]
    assert queued == []
    assert all("failed with error -87" in line for line in errors(guest))
    leaks.nothing_left(guest, nic, device)
    binding.bind(guest, driver, device)
    binding.bind(guest, driver, another)


def test_binding_leaves_no_memory(guest, nics, driver):
    """Up, so that the rings are full of buffers, and with some traffic, so that some are elsewhere."""
    devices = [guest.virtio_device(nic) for nic in nics]
    names = [guest.interface(nic) for nic in nics]
    drivers = f"{binding.BUS}/drivers/{driver.name}"
    again = "; ".join(f"echo {device} >{drivers}/unbind; echo {device} >{drivers}/bind" for device in devices)
    lines = [f"address add {nic.guest4}/24 dev {name}\nlink set {name} up\n" for name, nic in zip(names, nics)]
    guest.put("/tmp/up", "".join(lines))
    pings = "; ".join(f"ping -q -c 1 -W {exchange.TIMEOUT} {nic.host4} >/dev/null" for nic in nics)

    def rebind(rounds):
        guest.run(f"set -e; for i in $(seq {rounds}); do {again}; ip -batch /tmp/up; {pings}; done", timeout=300)

    assert not leaks.of_rounds(guest, 20, rebind)


def test_loading_leaves_no_memory(guest, nics, driver):
    def run(rounds):
        for _ in range(rounds):
            reload(guest, driver)

    assert not leaks.of_rounds(guest, 20, run)


def test_unplug_and_plug_under_traffic(guest, nics):
    nic = nics[0]
    with traffic(guest, True):
        for _ in range(PLUGS):
            guest.unplug(nic)
            assert nic.mac not in guest.run(["ip", "link"]).stdout
            guest.plug(nic)
            guest.bring_up(nic)
            exchange.reaches(nic)


def test_down_and_up_under_traffic(guest, nics):
    names = [guest.interface(nic) for nic in nics]
    with traffic(guest, True):
        for _ in range(ROUNDS):
            for name in names:
                guest.run(f"ip link set {name} down && ip link set {name} up")
            for nic in nics:
                exchange.reaches(nic)


# Up to what each takes, including the least that IPv6 and IPv4 need.
MTUS = [(0, (9000, 1280, 68, 65535, 1501)), (1, (1280, 1400, 68))]


@pytest.mark.parametrize("number, mtus", MTUS, ids=["merged", "small"])
@pytest.mark.parametrize("state", ["up", "down"])
def test_mtu_changes_under_traffic(guest, nics, number, mtus, state):
    nic = nics[number]
    name = guest.interface(nic)
    with traffic(guest, True):
        for mtu in (*mtus, 1500) * 2:
            down = f"ip link set {name} down && " if state == "down" else ""
            guest.run(f"{down}ip link set {name} mtu {mtu} && ip link set {name} up")
            exchange.reaches(nic)
