# SPDX-License-Identifier: GPL-2.0
"""The sizes of the rings, changed while packets flow: no queue is stuck, nothing is lost without being counted."""

import contextlib
import itertools
import json
import random
import re
import time
from pathlib import Path

import pytest

from lab import driver as drivers
from lab import kernel
from lab.agent import PYTHON
from support import binding, bypass, counters, exchange, leaks, pktgen
from support.kernel_log import errors, no_errors  # noqa: F401
from support.nics import LEGACY, NO_GUEST_CSUM, PACKED, SMALL, queue_size
from support.restart import built, load, restart
from support.rings import resize, sizes

BYPASS = Path(bypass.__file__)
# Buffers that hold GSO packets, and buffers that need not.
BIG, ONE_PAGE = SMALL, SMALL | NO_GUEST_CSUM
# A device that looks for packets now and then only (every 10 ms), so that some are in the ring when it is resized.
LAZY = {"tx": "timer", "x-txtimer": "10000000"}
# For each device the shortest rings that the driver takes: receive, transmit.
DEVICES = {
    "merged": ({}, 32, 32),
    "merged, packed": (PACKED, 18, 20),
    "big": (BIG, 32, 32),
    "one page": (ONE_PAGE, 1, 32),
    "two queues": ({"queues": 2}, 32, 32),
    "lazy": (LAZY, 32, 32),
    "lazy, packed": (LAZY | PACKED, 18, 20),
}
NAMES = list(DEVICES)
NO_RESET, OLD, OF_C, OF_C_NO_RESET = range(len(NAMES), len(NAMES) + 4)
OTHERS = [{"queue_reset": "off"}, LEGACY, {}, {"queue_reset": "off"}]
MAX = 256
ROUNDS = kernel.rounds(50)


@pytest.fixture(scope="module")
def guest(boot, driver):
    """The last two NICs have the C driver, to compare with."""
    nics = [properties for properties, _, _ in DEVICES.values()] + OTHERS
    with boot(nics=nics, files=[exchange.PEER, counters.NETDEV, BYPASS], **leaks.LOOKED_FOR, memory="2G") as guest:
        driver.load(guest)
        devices = [guest.virtio_device(guest.nics[number]) for number in (OF_C, OF_C_NO_RESET)]
        binding.hand_over(guest, devices, driver, drivers.C)
        guest.run(["modprobe", "pktgen"])
        for number, nic in enumerate(guest.nics):
            name = guest.bring_up(nic)
            # What waits for a device that is late must not count as too old.
            if number < len(NAMES) and "lazy" in NAMES[number]:
                guest.run(["tc", "qdisc", "replace", "dev", name, "root", "pfifo"])
        with exchange.peer_in(guest), exchange.peer_on_host():
            yield guest


@contextlib.contextmanager
def restored(guest, name):
    """The sizes afterwards are those that were there before."""
    before, _ = sizes(guest, name)
    yield
    if sizes(guest, name)[0] != before:
        resize(guest, name, *before)


def carrier_changes(guest, name):
    return int(guest.read(f"/sys/class/net/{name}/carrier_changes"))


def test_sizes_are_those_of_c(guest):
    found = [sizes(guest, guest.interface(guest.nics[number])) for number in (0, OF_C)]
    assert found[0] == found[1] == ((MAX, MAX), (MAX, MAX))


@pytest.mark.parametrize("wanted", ["rx 0", "tx 0", "tx 19", "rx 257", "tx 257", "rx-mini 1", "rx-jumbo 1", "rx 4294967295"])
@pytest.mark.parametrize("numbers", [(0, OF_C), (NO_RESET, OF_C_NO_RESET)], ids=["reset", "no reset"])
def test_refused_as_in_c(guest, numbers, wanted):
    found = []
    for number in numbers:
        name = guest.interface(guest.nics[number])
        done = guest.run(["ethtool", "-G", name, *wanted.split()], check=False)
        found.append((done.rc, done.stdout, done.stderr))
        assert sizes(guest, name)[0] == (MAX, MAX)
    assert found[0] == found[1] and found[0][0] != 0
    # The C driver says some of it as errors.
    errors(guest)


@pytest.mark.parametrize("numbers", [(NO_RESET, OF_C_NO_RESET), (OLD, OF_C_NO_RESET)], ids=["off", "legacy"])
def test_without_resets_of_queues(guest, numbers):
    found = []
    for number in numbers:
        name = guest.interface(guest.nics[number])
        done = resize(guest, name, 128, 128, check=False)
        found.append((done.rc, done.stdout, done.stderr))
        assert sizes(guest, name)[0] == (MAX, MAX)
        exchange.reaches(guest.nics[number])
    assert found[0] == found[1] and "No such file or directory" in found[0][2]
    errors(guest)


@pytest.mark.parametrize("device", DEVICES)
def test_too_short_or_odd(guest, driver, device):
    """C takes some of these: a ring that a packet does not fit into is stuck, an odd size fails after the reset."""
    if not driver.file:
        pytest.skip("the C driver takes rings that no packet fits into")
    nic = guest.nics[NAMES.index(device)]
    name = guest.interface(nic)
    before = counters.link(guest, name)
    _, rx, tx = DEVICES[device]
    wanted = [("rx", rx - 1), ("tx", tx - 1)] + ([] if "packed" in device else [("rx", 100), ("tx", 100)])
    for kind, size in wanted:
        done = guest.run(["ethtool", "-G", name, kind, size], check=False)
        assert done.rc != 0 and "Invalid argument" in done.stderr, (kind, size)
        assert sizes(guest, name)[0] == (MAX, MAX)
        exchange.ping(guest.run, nic.host4)
    after = counters.link(guest, name)
    assert after["tx_dropped"] == before["tx_dropped"]


@pytest.mark.parametrize("device", DEVICES)
def test_shortest_rings(guest, device):
    nic = guest.nics[NAMES.index(device)]
    name = guest.interface(nic)
    with restored(guest, name):
        resize(guest, name, *DEVICES[device][1:])
        assert sizes(guest, name)[0] == DEVICES[device][1:]
        assert queue_size(guest, nic, 0) == DEVICES[device][1] and queue_size(guest, nic, 1) == DEVICES[device][2]
        exchange.everything(guest, nic)
    exchange.everything(guest, nic)


def any_sizes(device):
    """Random sizes that the rings of a device can have."""
    _, rx, tx = DEVICES[device]
    if "packed" in device:
        return random.randint(rx, MAX), random.randint(tx, MAX)
    return tuple(random.choice([size for size in (1 << bit for bit in range(9)) if size >= least]) for least in (rx, tx))


@pytest.mark.parametrize("device", DEVICES)
def test_under_traffic(guest, device):
    nic = guest.nics[NAMES.index(device)]
    name = guest.interface(nic)
    random.seed(device)
    changes = carrier_changes(guest, name)
    with restored(guest, name):
        with exchange.flooded(guest, nic):
            for _ in range(ROUNDS):
                wanted = any_sizes(device)
                resize(guest, name, *wanted)
                exchange.reaches(nic)
                assert sizes(guest, name)[0] == wanted
                assert (queue_size(guest, nic, 0), queue_size(guest, nic, 1)) == wanted
        exchange.everything(guest, nic)
    exchange.everything(guest, nic)
    assert carrier_changes(guest, name) == changes


def test_while_down(guest):
    nic = guest.nics[0]
    name = guest.interface(nic)
    with restored(guest, name):
        for wanted in ((64, 32), (MAX, MAX), (32, 128)):
            guest.run(["ip", "link", "set", name, "down"])
            resize(guest, name, *wanted)
            assert sizes(guest, name)[0] == wanted
            guest.run(f"ip link set {name} up && ip address add {nic.guest6}/64 dev {name} nodad")
            exchange.everything(guest, nic)


def test_queues_that_are_not_used(guest):
    nic = guest.nics[NAMES.index("two queues")]
    name = guest.interface(nic)
    with restored(guest, name):
        guest.run(["ethtool", "-L", name, "combined", 1])
        resize(guest, name, 64, 64)
        assert [queue_size(guest, nic, queue) for queue in range(4)] == [64] * 4
        guest.run(["ethtool", "-L", name, "combined", 2])
        for i in range(8):
            exchange.tcp_to_guest(nic.guest4, seed=i)
            exchange.udp_echo(nic.guest6)


def until_counted(guest, name, before, wanted):
    """Packets that were sent and dropped since, once they are as many as wanted."""
    limit = time.monotonic() + exchange.TIMEOUT
    while True:
        after = counters.link(guest, name)
        sent, dropped = (after[counter] - before[counter] for counter in ("tx_packets", "tx_dropped"))
        if sent + dropped >= wanted or time.monotonic() > limit:
            return sent, dropped
        time.sleep(0.1)


@pytest.mark.parametrize("device", ["merged", "merged, packed", "lazy", "lazy, packed"])
def test_flood_past_the_queueing(guest, driver, device):
    """Who sends past the queueing does not see a queue stop. Each packet that is taken is sent or counted."""
    if not driver.file:
        pytest.skip("the C driver does not count what it drops in a reset")
    nic = guest.nics[NAMES.index(device)]
    name = guest.interface(nic)
    random.seed(device)
    before = counters.link(guest, name)
    with restored(guest, name):
        with guest.spawn([*PYTHON, f"/payload/{BYPASS.name}", name, "/tmp/stop"]) as flood:
            for done in itertools.count(1):
                resize(guest, name, *any_sizes(device))
                lost = counters.link(guest, name)["tx_dropped"] - before["tx_dropped"]
                # The lazy device is to have some in its ring at least once.
                if done >= 20 and (lost or "lazy" not in device):
                    break
                assert done < 300, "no packet was in the ring when it was resized"
            guest.run("touch /tmp/stop")
            flood.wait()
            guest.run("rm /tmp/stop")
        result = json.loads(flood.output())
        sent, dropped = until_counted(guest, name, before, result["taken"])
        print(result, "sent", sent, "dropped", dropped)
        assert result["taken"] > 1000
        # The stack sends a few packets of its own meanwhile.
        assert result["taken"] <= sent + dropped <= result["taken"] + 100
    exchange.everything(guest, nic)
    errors_of_link = counters.link(guest, name)
    for counter in ("tx_errors", "tx_fifo_errors", "rx_errors"):
        assert errors_of_link[counter] == before[counter], counter


def test_pktgen_meanwhile(guest, driver):
    if not driver.file:
        pytest.skip("the C driver does not count what it drops in a reset")
    nic = guest.nics[0]
    name = guest.interface(nic)
    random.seed(0)
    before = counters.link(guest, name)
    with restored(guest, name):
        with guest.spawn(f"while :; do for size in 32 64 128 256; do ethtool -G {name} tx $size; done; done"):
            sent, failed = pktgen.send(guest, nic, name, count=100_000, pkt_size=60, burst=8)
        counted, dropped = until_counted(guest, name, before, sent)
        print("sent", sent, "failed", failed, "counted", counted, "dropped", dropped)
        assert sent <= counted + dropped <= sent + 100
    exchange.everything(guest, nic)


def test_no_memory_is_left(guest):
    name = guest.interface(guest.nics[0])
    change = f"ethtool -G {name} rx 32 tx 32; ethtool -G {name} rx {MAX} tx {MAX}"

    def run(rounds):
        guest.run(f"set -e; for i in $(seq {rounds}); do {change}; done", timeout=300)

    assert not leaks.of_rounds(guest, 20, run)


def test_failure_leaves_the_queue_as_it_was(boot, driver, faulty_module, tmp_path):
    fault = f"/sys/module/{driver.name}/parameters/fault"
    with boot(nics=[{}], files=[faulty_module, exchange.PEER, built(tmp_path)]) as guest:
        driver.load(guest)
        load(guest)
        nic = guest.nics[0]
        name = guest.bring_up(nic)
        with exchange.peer_in(guest):
            for number, expected in ((1, (MAX, MAX)), (2, (MAX, 64))):
                guest.run(f"echo {number} >{fault}")
                done = resize(guest, name, 64, 64, check=False)
                assert done.rc != 0 and "Cannot allocate memory" in done.stderr
                assert sizes(guest, name)[0] == expected
                said = [line for line in errors(guest) if "fault point" not in line]
                assert len(said) == 1 and f"keeps its size of {MAX}, no resize to 64: ENOMEM" in said[0], said
                exchange.everything(guest, nic)
            resize(guest, name, 64, 64)
            assert sizes(guest, name)[0] == (64, 64)
            exchange.everything(guest, nic)
            # It is to start with new memory: there is no pool, nothing to tell programs of it, or the queue is not reset.
            for number, line in ((1, None), (2, None), (3, "receive queue 0 of .* goes on, no reset for new memory: ENOMEM")):
                guest.run(f"echo {number} >{fault}")
                assert restart(guest, name, check=False).rc != 0
                said = [line for line in errors(guest) if "fault point" not in line]
                assert len(said) == (line is not None) and all(re.search(line, one) for one in said), said
                exchange.everything(guest, nic)
            restart(guest, name)
            exchange.everything(guest, nic)
