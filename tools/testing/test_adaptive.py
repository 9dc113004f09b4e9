# SPDX-License-Identifier: GPL-2.0
"""Adaptive moderation: what the kernel's library finds for each receive queue is told to the device, while that is on."""

import re
import struct

import pytest

from lab import device, features
from lab import driver as drivers
from support import exchange, ordered
from support.kernel_log import no_errors  # noqa: F401

PAIRS = 2
OFFERED = "MAC MRG_RXBUF STATUS CTRL_VQ MQ NOTF_COAL VQ_NOTF_COAL VERSION_1"
TX_SET, RX_SET, VQ_SET = (6, 0), (6, 1), (6, 2)
REFUSES = {"ack": 1}
# The library's profiles for a device that starts its timer with an interrupt: microseconds and packets.
PROFILES = [(1, 256), (8, 256), (64, 256), (128, 256), (256, 256)]
# It looks at what 64 polls have received, at the earliest.
ENOUGH = 500


def made(names):
    numbers = {name: number for number, name in features.names().items()}
    return device.Device([numbers[name] for name in names.split()], PAIRS)


@pytest.fixture(scope="module")
def guest(boot, driver):
    """The second NIC has no moderation of single queues, the third has none of all."""
    nics = [made(OFFERED), made(OFFERED.replace(" VQ_NOTF_COAL", "")), made(OFFERED.replace(" NOTF_COAL", ""))]
    with boot(nics=nics, files=[exchange.PEER], shared_memory=True) as guest:
        driver.load(guest)
        for nic in guest.nics:
            # The C driver begins with one.
            guest.run(["ethtool", "-L", guest.interface(nic), "combined", str(PAIRS)], check=False)
            guest.bring_up(nic)
        with exchange.peer_in(guest):
            yield guest


@pytest.fixture
def nic(guest):
    """With the settings that it has at first."""
    nic = guest.nics[0]
    change(guest, nic, "adaptive-rx off rx-usecs 0 rx-frames 0", check=False)
    commands(nic)
    return nic


def commands(nic):
    """The commands since the last call that are about interrupts."""
    return [(code, bytes.fromhex(body)) for code, body in ordered.commands(nic) if code[0] == 6]


def change(guest, nic, what, check=True, queue=None):
    name = guest.interface(nic)
    mask = f"-Q {name} queue_mask {1 << queue:#x} --coalesce" if queue is not None else f"-C {name}"
    return guest.run(f"ethtool {mask} {what}", check=check)


def shown(text):
    """Whether it adapts, microseconds and packets."""
    found = dict(re.findall(r"^(rx-usecs|rx-frames):\s+(\d+)$", text, re.MULTILINE))
    return "Adaptive RX: on" in text, int(found["rx-usecs"]), int(found["rx-frames"])


def setting(guest, nic):
    return shown(guest.run(["ethtool", "-c", guest.interface(nic)]).stdout)


def of_queues(guest, nic):
    text = guest.run(["ethtool", "-Q", guest.interface(nic), "queue_mask", "0x3", "--show-coalesce"]).stdout
    return [shown(part) for part in re.split(r"^Queue: \d+$", text, flags=re.MULTILINE)[1:]]


def receive(guest, nic, size=56):
    """Packets one by one, to the only receive queue that this device uses."""
    guest.run(["ping", "-q", "-A", "-c", str(ENOUGH), "-s", str(size), nic.host4])


def found(nic):
    """What the device has been told of its first receive queue, which nobody set."""
    changes = [struct.unpack("<HHII", body) for code, body in commands(nic) if code == VQ_SET]
    assert all(number == 0 and reserved == 0 for number, reserved, _, _ in changes), changes
    return [(usecs, frames) for _, _, frames, usecs in changes]


def adapts(guest, nic):
    """It may rest at what it likes best, but not for ever, and not while what it gets becomes another thing."""
    commands(nic)
    for round in range(10):
        receive(guest, nic, (56, 1400)[round % 2])
        steps = found(nic)
        if steps:
            assert all(step in PROFILES for step in steps), steps
            return steps
    pytest.fail("nothing was found for the queue")


def test_it_adapts(guest, nic):
    change(guest, nic, "adaptive-rx on")
    assert RX_SET not in [code for code, _ in commands(nic)]
    assert setting(guest, nic) == (True, 0, 0)
    assert of_queues(guest, nic) == [(True, 0, 0)] * PAIRS
    steps = adapts(guest, nic)
    # It begins with the least: the first thing that it tries is more.
    assert steps[0] == PROFILES[1]
    assert of_queues(guest, nic) == [(True, *steps[-1]), (True, 0, 0)]
    assert setting(guest, nic) == (True, 0, 0)


def test_it_does_not_unless_it_is_on(guest, nic):
    receive(guest, nic)
    assert commands(nic) == []


def test_turned_off(guest, nic):
    """Then all have what is set for all again."""
    change(guest, nic, "adaptive-rx on")
    adapts(guest, nic)
    change(guest, nic, "adaptive-rx off")
    assert (RX_SET, bytes(8)) in commands(nic)
    assert of_queues(guest, nic) == [(False, 0, 0)] * PAIRS
    receive(guest, nic)
    assert commands(nic) == []


def test_one_queue(guest, nic):
    change(guest, nic, "adaptive-rx on", queue=0)
    assert setting(guest, nic) == (False, 0, 0)
    assert of_queues(guest, nic) == [(True, 0, 0), (False, 0, 0)]
    adapts(guest, nic)
    change(guest, nic, "adaptive-rx off", queue=0)
    commands(nic)
    receive(guest, nic)
    assert commands(nic) == []


@pytest.mark.parametrize("queue", [None, 0])
def test_not_by_hand_as_well(guest, nic, queue):
    """Neither together with turning it on, nor afterwards."""
    for before in ("off", "on"):
        change(guest, nic, f"adaptive-rx {before}", check=before == "on", queue=queue)
        now = setting(guest, nic), of_queues(guest, nic)
        done = change(guest, nic, "adaptive-rx on rx-usecs 7", check=False, queue=queue)
        # For single queues ethtool says what is wrong, and succeeds.
        assert "Invalid argument" in done.stderr
        assert (setting(guest, nic), of_queues(guest, nic)) == now


def test_interface_down_and_up(guest, nic):
    """Whatever it was doing when the interface went down, it goes on."""
    name = guest.interface(nic)
    change(guest, nic, "adaptive-rx on")
    for _ in range(3):
        commands(nic)
        guest.run(f"ping -q -A -c 100 {nic.host4}; ip link set {name} down; ip link set {name} up")
        guest.run(f"ip address replace {nic.guest6}/64 dev {name} nodad")
    guest.run(f"until ping -q -c 1 {nic.host4}; do sleep 0.1; done")
    adapts(guest, nic)


def test_device_that_refuses(guest, nic):
    """It stays as it was, and the next thing that is found is sent again."""
    change(guest, nic, "adaptive-rx on")
    nic.order("script", answers=[REFUSES] * 100)
    adapts(guest, nic)
    assert of_queues(guest, nic)[0] == (True, 0, 0)
    nic.order("script", answers=[])
    steps = adapts(guest, nic)
    assert of_queues(guest, nic)[0] == (True, *steps[-1])


def test_device_that_cannot(guest, driver):
    """Not for single queues, or not for all."""
    if driver is drivers.C:
        pytest.skip("the C driver takes the setting for all, and does nothing")
    for nic, queue in ((guest.nics[1], None), (guest.nics[1], 0), (guest.nics[2], None)):
        done = change(guest, nic, "adaptive-rx on", check=False, queue=queue)
        assert "not supported" in done.stderr
    assert commands(guest.nics[1]) == [] and setting(guest, guest.nics[1])[0] is False


def test_queues_alone(guest):
    nic = guest.nics[2]
    change(guest, nic, "adaptive-rx on", queue=0)
    adapts(guest, nic)


def test_afterwards(guest, nic):
    exchange.everything(guest, nic)
