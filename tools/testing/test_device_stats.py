# SPDX-License-Identifier: GPL-2.0
"""What the device counts is shown as with C, and an answer that cannot be does no harm."""

import struct

import pytest

from lab import device, features
from lab import driver as drivers
from support import binding, counters, device_stats, exchange, faults, limit, ordered
from support.device_stats import CONTROL, QUERY, RX, TX, capabilities, types_of
from support.kernel_log import errors

PAIRS, LIMIT = 2, 1000
# The command that sets how many of them are used.
PAIRS_SET = (4, 0)
OFFERED = "MAC MRG_RXBUF STATUS CTRL_VQ MQ DEVICE_STATS VERSION_1"
# Those that `ethtool -S` shows: type and place of each.
NAMED = {
    "rx": {"packets": (0, 1), "bytes": (0, 2), "notifications": (0, 0), "interrupts": (0, 3)}
    | {"needs_csum": (1, 1), "ratelimit_bytes": (3, 1)},
    "tx": {"packets": (16, 1), "bytes": (16, 2), "notifications": (16, 0), "interrupts": (16, 3)}
    | {"gso_packets_noseg": (18, 4), "gso_bytes_noseg": (18, 5), "ratelimit_bytes": (19, 1)},
    "cq": {"command_num": (32, 0), "ok_num": (32, 1)},
}


def value(queue, kind, place):
    """One that no other counter has, and that needs all of its 64 bits."""
    return (queue % 8 + 1 << 60) + (kind << 32) + place + 1


def entry(queue, kind, places, size=None):
    return device_stats.entry(queue, kind, [value(queue, kind, place) for place in range(places)], size)


def expected(entries):
    """What `ethtool -S` shows of these: (queue, type) and how many counters."""
    shown = {}
    for side, first in (("rx", 0), ("tx", 1)):
        for name, (kind, place) in NAMED[side].items():
            each = [
                value(queue, kind, place) if entries.get((queue, kind), 0) > place else 0 for queue in range(first, 2 * PAIRS, 2)
            ]
            shown[f"{side}_hw_{name}"] = sum(each) & (1 << 64) - 1
            shown |= {f"{side}{index}_hw_{name}": one for index, one in enumerate(each)}
    control = 2 * PAIRS
    for name, (kind, place) in NAMED["cq"].items():
        shown[f"cq_hw_{name}"] = value(control, kind, place) if entries.get((control, kind), 0) > place else 0
    return shown


ALL = {(queue, kind): count for queue in range(2 * PAIRS + 1) for kind, count in types_of(queue, PAIRS).items()}


@pytest.fixture(scope="module")
def nics():
    """For this driver, for C, and one whose device does not say what it counts."""
    numbers = {name: number for number, name in features.names().items()}
    return [device.Device([numbers[name] for name in OFFERED.split()], PAIRS) for _ in range(3)]


@pytest.fixture(scope="module")
def guest(boot, driver, nics):
    with boot(nics=nics, files=[exchange.PEER, counters.NETDEV], shared_memory=True) as guest:
        for nic in nics[:2]:
            nic.order("body", **QUERY, body=capabilities(RX | TX | CONTROL))
            for (queue, kind), count in ALL.items():
                nic.order("count", entry=entry(queue, kind, count).hex())
        nics[2].order("body", **QUERY, body="")
        limit.load(guest, driver, LIMIT)
        guest.first_errors = errors(guest)
        binding.hand_over(guest, [guest.virtio_device(nics[1])], driver, drivers.C)
        for nic in nics:
            guest.run(["ethtool", "-L", guest.interface(nic), "combined", str(PAIRS)], check=False)
            guest.bring_up(nic)
        errors(guest)
        with exchange.peer_in(guest):
            yield guest


@pytest.fixture
def nic(guest, nics):
    ordered.commands(nics[0])
    return nics[0]


def shown(guest, nic):
    """What `ethtool -S` shows of the device's counters."""
    found = counters.ethtool(guest, guest.interface(nic), limit.HANGS)
    return {name: count for name, count in found.items() if "_hw_" in name}


def test_values(guest, nic):
    assert shown(guest, nic) == expected(ALL)
    ((_, asked),) = ordered.commands(nic)
    wanted = {queue: sum(1 << kind for kind in types_of(queue, PAIRS) if kind not in (2, 17)) for queue in range(2 * PAIRS + 1)}
    assert asked == b"".join(struct.pack("<H6xQ", *one) for one in wanted.items()).hex()


def complaints_of_c(guest):
    """The C driver writes its request past the end that the array has in its declaration, which UBSAN reports."""
    found = guest.new_kernel_reports()
    assert all("virtio_net.c" in line for line in found if "UBSAN" in line), found
    errors(guest)


def test_names_values_and_order_of_c(guest, nics, nic):
    ours, theirs = (counters.ethtool(guest, guest.interface(one)) for one in nics[:2])
    complaints_of_c(guest)
    assert list(counters.that_c_has(ours)) == list(theirs)
    assert {name: ours[name] for name in ours if "_hw_" in name} == {name: theirs[name] for name in theirs if "_hw_" in name}


def test_netlink_has_what_c_has(guest, nics, nic):
    def reported(one):
        queues = counters.of_queues(guest, guest.interface(one))
        return {
            queue: {name: count for name, count in of.items() if count > 1 << 60 or not name.startswith(("rx", "tx"))}
            for queue, of in queues.items()
        }

    ours, theirs = (reported(one) for one in nics[:2])
    assert ours == theirs
    assert all(len(of) >= 8 for of in ours.values()), ours


def test_sums_over_queues_that_are_not_used(guest, nics, nic):
    """Of the device, the queues that are used now and the others; they do not go backwards with fewer queues."""
    name = guest.interface(nic)
    before = shown(guest, nic), counters.of_device(guest, name)
    guest.run(["ethtool", "-L", name, "combined", "1"])
    after = shown(guest, nic), counters.of_device(guest, name)
    guest.run(["ethtool", "-L", name, "combined", str(PAIRS)])
    assert after[0] == {name: count for name, count in before[0].items() if not name.startswith(("rx1", "tx1"))}
    large = {name: count for name, count in before[1].items() if count > 1 << 60}
    assert len(large) >= 8 and {name: after[1][name] for name in large} == large


FIRST = entry(0, 0, 6)
# An answer, and what of it counts.
BAD = {
    "size 0": (FIRST + entry(1, 16, 6, size=0), {(0, 0): 6}),
    "size below the header": (FIRST + entry(1, 16, 6, size=7), {(0, 0): 6}),
    "size 65535": (FIRST + entry(1, 16, 6, size=0xFFFF), {(0, 0): 6}),
    "half a header": (FIRST + b"\x10\0\1\0", {(0, 0): 6}),
}


@pytest.mark.parametrize("bad", BAD)
def test_answer_that_cannot_be(guest, nic, bad):
    body, counted = BAD[bad]
    nic.order("script", answers=[{"body": body.hex()}])
    assert shown(guest, nic) == expected(counted)
    assert [line for line in errors(guest) if "what it has counted" not in line] == []


# Answers that are not as asked, but can be read.
ODD = {
    "nothing": (b"", {}),
    "size beyond what is written": (FIRST + entry(1, 16, 6, size=57), {(0, 0): 6, (1, 16): 6}),
    "fewer counters": (entry(0, 0, 2) + entry(2, 0, 6), {(0, 0): 2, (2, 0): 6}),
    "part of a counter": (entry(0, 0, 2)[:6] + b"\x1b\0" + entry(0, 0, 2)[8:] + b"abc", {(0, 0): 2}),
    "more counters": (entry(0, 0, 9) + entry(2, 0, 6), {(0, 0): 6, (2, 0): 6}),
    "other type": (entry(0, 77, 6) + entry(0, 16, 6) + FIRST, {(0, 0): 6}),
    "other virtqueue": (entry(9999, 0, 6) + entry(1, 0, 6) + FIRST, {(0, 0): 6}),
    "twice": (FIRST + FIRST, {(0, 0): 6}),
}


@pytest.mark.parametrize("odd", ODD)
def test_answer_that_was_not_asked_for(guest, nic, odd):
    body, counted = ODD[odd]
    nic.order("script", answers=[{"body": body.hex()}])
    assert shown(guest, nic) == expected(counted)
    assert errors(guest) == []


@pytest.mark.parametrize("written", [0, 1, 9, 0xFFFFFFFF])
def test_length_of_answer(guest, nic, written):
    """What is written counts, and not the length that the device says it has."""
    nic.order("script", answers=[{"written": written}])
    assert shown(guest, nic) == expected(ALL)
    assert errors(guest) == []


@pytest.mark.parametrize("script", [{"ack": 1}, {"unwritten": True}, {"delay_ms": 3 * LIMIT}])
def test_no_answer(guest, nic, script):
    """All are 0, there is a line in the log, and the next time they are there."""
    nic.order("script", answers=[script])
    assert shown(guest, nic) == expected({})
    said = errors(guest)
    assert any("what it has counted" in line for line in said), said
    guest.run(f"until ethtool -S {guest.interface(nic)} | grep -q 'hw_.*: [1-9]'; do sleep 0.1; done")
    errors(guest)
    assert shown(guest, nic) == expected(ALL)


def test_command_while_an_answer_is_owed(guest, nic):
    """It fails at once, without having been sent; what holds is told when the device has answered."""
    name = guest.interface(nic)
    nic.order("script", answers=[{"withheld": True}])
    assert shown(guest, nic) == expected({})
    ordered.forget_commands(nic)
    assert guest.run(["ethtool", "-L", name, "combined", "1"], check=False).rc != 0
    assert ordered.commands(nic) == []
    nic.order("release")
    faults.wait(lambda: PAIRS_SET in [code for code, _ in ordered.commands(nic)], "the device is not told what holds")
    guest.run(["ethtool", "-L", name, "combined", str(PAIRS)])
    errors(guest)
    assert shown(guest, nic) == expected(ALL)


def test_device_that_does_not_say(guest, nics):
    said = [line for line in guest.first_errors if "what it counts" in line]
    assert len(said) == 1 and shown(guest, nics[2]) == {}
    exchange.everything(guest, nics[2])


def test_afterwards(guest, nic):
    exchange.everything(guest, nic)
