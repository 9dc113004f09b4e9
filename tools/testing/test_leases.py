# SPDX-License-Identifier: GPL-2.0
"""Receive queues that the stack manages: leased to a device of netkit, and started with new memory."""

from contextlib import contextmanager

import pytest

from lab import driver as drivers
from lab import kernel, xdp
from support import counters, exchange, leaks, sockets, suspend
from support.bpf import programs  # noqa: F401
from support.kernel_log import no_errors  # noqa: F401
from support.kernels import stock_only
from support.nics import BIG, PACKED, SMALL
from support.restart import STARTED, built, load, restart
from support.sockets import spawn, user

DMA = {"iommu_platform": "on", "disable-legacy": "on"}
DEVICES = {"mergeable": {"queues": 2}, "packed": DMA | PACKED, "small": SMALL, "big": BIG, "no reset": {"queue_reset": "off"}}
NAMES = list(DEVICES)
LENGTHS = (60, 128, 300, 1000, 1514)
VIRTUAL = "nk0"


@pytest.fixture(scope="module")
def guest(boot, driver, programs, tmp_path_factory):
    if driver is drivers.C:
        pytest.skip("C leaves no queue to the stack")
    files = [exchange.PEER, programs, sockets.PROGRAM, counters.NETDEV, built(tmp_path_factory.mktemp("restart"))]
    with boot(nics=[*DEVICES.values()], files=files) as guest:
        driver.load(guest)
        load(guest)
        xdp.load(guest)
        sockets.bring_up(guest, named(guest, "mergeable"))
        with exchange.peer_in(guest):
            yield guest


def named(guest, name):
    return guest.nics[NAMES.index(name)]


@pytest.fixture
def nic(guest, request):
    nic = named(guest, request.param)
    with exchange.reached(nic):
        yield nic


@pytest.fixture
def name(guest, nic):
    return guest.interface(nic)


def asked(guest, *words):
    """What netlink says, or why it refuses."""
    done = guest.run([*counters.COMMAND, *words], check=False)
    return done.stdout.strip() if done.rc == 0 else done.stderr.strip().splitlines()[-1]


@contextmanager
def virtual(guest):
    """A device of netkit that queues can be leased to."""
    counters.netdev(guest, "netkit", VIRTUAL, 4)
    guest.run(["ip", "link", "set", VIRTUAL, "up"])
    try:
        yield
    finally:
        guest.run(["ip", "link", "del", VIRTUAL], check=False)


@contextmanager
def leased(guest, name, queue=0):
    """A queue that is leased. Yields the number that it has there."""
    with virtual(guest):
        yield counters.netdev(guest, "lease", VIRTUAL, name, queue)


# What is done with a device while a socket has its queue.
SETTINGS = (
    "true",
    "ip link set {name} down; ip link set {name} up",
    "ethtool -G {name} rx 128 tx 128; ethtool -G {name} rx 256 tx 256",
    "ethtool -C {name} tx-frames 1; ethtool -K {name} rx-gro-hw off; ethtool -K {name} rx-gro-hw on",
    "ip link set {name} mtu 1400; ip link set {name} mtu 1500",
    suspend.by_reset,
)


@pytest.mark.parametrize("nic, changes", [("mergeable", SETTINGS), ("packed", [suspend.to_sleep])], indirect=["nic"], ids=["settings", "sleep"])
def test_socket_of_a_lease(guest, nic, name, changes):
    """A process that sees only the virtual device receives and sends without copies, through all that can be set."""
    index = [counters.index(guest, name), 0]
    with leased(guest, name) as queue:
        assert counters.netdev(guest, "leases") == [[*index, counters.index(guest, VIRTUAL), queue]]
        with xdp.attached(guest, name, "to_socket"), user(guest, VIRTUAL, queue=queue, through=name) as counted:
            for change in changes:
                if callable(change):
                    change(guest)
                else:
                    guest.run(change.format(name=name))
                exchange.reaches(nic)
                exchange.frames_echo(nic, 4 * LENGTHS)
            assert counters.netdev(guest, "leases")[0][:2] == index
        assert counted["sent"] == 4 * len(changes) * len(LENGTHS) and not sockets.wrong(counted), counted
        # The queue itself is not for others.
        with spawn(guest, name, patience=0) as process:
            assert process.wait(check=False) != 0
    with xdp.attached(guest, name, "to_socket"), user(guest, name):
        exchange.frames_echo(nic, LENGTHS)
    guest.bring_up(nic)
    exchange.everything(guest, nic)


def test_fewer_queues(guest):
    """One that is leased stays."""
    nic = named(guest, "mergeable")
    name = guest.interface(nic)
    fewer = ["ethtool", "-L", name, "combined", 1]
    guest.run(["ethtool", "-L", name, "combined", 2])
    with leased(guest, name, 1):
        refused = guest.run(fewer, check=False)
        assert refused.rc != 0 and "leas" in refused.stderr, refused
        assert "leas" in asked(guest, "lease", VIRTUAL, name, "1")
        exchange.reaches(nic)
    guest.run(fewer)
    exchange.everything(guest, nic)


def test_refused(guest):
    """A device that cannot reset a queue has no lease."""
    nic = named(guest, "no reset")
    with virtual(guest):
        assert "does not support queue management operations" in asked(guest, "lease", VIRTUAL, guest.interface(nic), "0")
    exchange.reaches(nic)


@stock_only("the debug kernel makes no memory for devices (udmabuf)")
def test_memory_of_others(guest):
    """It is for data alone, which virtio does not tell from headers. Only where there is DMA the kernel gets as far as that."""
    for device, reason in (("packed", "tcp-data-split is disabled"), ("mergeable", "DMA")):
        name = guest.interface(named(guest, device))
        assert reason in asked(guest, "provide", name, "0")
        assert guest.run(["ethtool", "-G", name, "tcp-data-split", "on"], check=False).rc != 0
    for nic in guest.nics:
        exchange.reaches(nic)


@pytest.mark.parametrize("gone", ["device", "virtual device"])
def test_removed(guest, driver, gone):
    """While there is a socket. A device that goes takes the virtual one with it, to which its queue is leased."""
    nic = named(guest, "packed")
    name, virtio = guest.interface(nic), guest.virtio_device(nic)
    with leased(guest, name) as queue, xdp.attached(guest, name, "to_socket"):
        with spawn(guest, VIRTUAL, queue=queue, through=name) as process:
            process.says("bound")
            if gone == "device":
                guest.run(f"echo {virtio} >/sys/bus/virtio/drivers/{driver.name}/unbind")
                assert VIRTUAL not in guest.run(["ip", "link"]).stdout
                guest.run(f"echo {virtio} >/sys/bus/virtio/drivers/{driver.name}/bind")
                xdp.attach(guest, guest.bring_up(nic), "to_socket")
            else:
                guest.run(["ip", "link", "del", VIRTUAL])
                exchange.reaches(nic)
            process.stop()
            process.ended()
    exchange.everything(guest, nic)


def pool_of(guest, name):
    number = counters.index(guest, name)
    return max(pool["id"] for pool in leaks.pools(guest) if pool.get("ifindex") == number and "detached" not in pool)


@pytest.mark.parametrize("nic", ["mergeable", "packed", "small", "big"], indirect=True)
def test_restart(guest, nic, name):
    """A queue starts with new memory under traffic, again and again, and with the interface down."""
    pools = leaks.pools_in_use(guest)
    before = pool_of(guest, name)
    with exchange.peer_on_host(), exchange.flooded(guest, nic):
        for _ in range(kernel.rounds(40)):
            restart(guest, name)
    after = pool_of(guest, name)
    assert after > before
    exchange.everything(guest, nic)
    guest.run(["ip", "link", "set", name, "down"])
    restart(guest, name)
    assert pool_of(guest, name) == after
    guest.bring_up(nic)
    exchange.reaches(nic)
    assert leaks.pools_in_use(guest) == pools


@pytest.mark.parametrize("nic", ["mergeable", "packed"], indirect=True)
def test_restart_with_a_socket(guest, nic, name):
    """The socket keeps its chunks."""
    with xdp.attached(guest, name, "to_socket"), user(guest, name) as counted:
        for _ in range(10):
            restart(guest, name)
            exchange.reaches(nic)
            exchange.frames_echo(nic, 4 * LENGTHS)
    assert not sockets.wrong(counted), counted
    exchange.everything(guest, nic)


def test_restart_beside_resets(guest):
    """While the device is reset its queues are not there: nothing is started then. Afterwards there is."""
    nic = named(guest, "mergeable")
    name = guest.interface(nic)
    pools = leaks.pools_in_use(guest)
    again = f"for i in $(seq 40); do {STARTED.format(name=name, queue=0)} 2>/dev/null; done; true"
    for _ in range(3):
        with guest.spawn(again) as running:
            suspend.by_reset(guest)
            assert running.wait() == 0, running.output()
        exchange.reaches(nic)
    restart(guest, name)
    exchange.everything(guest, nic)
    assert leaks.pools_in_use(guest) == pools
