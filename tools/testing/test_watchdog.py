# SPDX-License-Identifier: GPL-2.0
"""A device that misses a notification, raises no interrupt, or does nothing for long: what is lost is found, and nothing waits for ever.
One that is slow, or whose guest does not run, is left alone."""

import time

import pytest

from lab import driver as drivers
from support import commands, counters, exchange, faults, healing, ordered, tracing
from support.kernel_log import errors, no_errors  # noqa: F401

OFFERED = "MAC STATUS CTRL_VQ CTRL_RX VERSION_1 MRG_RXBUF"
DEVICES = {"split": OFFERED, "packed, event index": OFFERED + " RING_PACKED EVENT_IDX"}
NAMES = list(DEVICES)
RX, TX, CONTROL = 0, 1, 2
# How long the device may be silent, and may take for a command, in milliseconds.
LIMIT, COMMAND = 3000, 500


@pytest.fixture(scope="module")
def guest(boot, driver):
    if driver is drivers.C:
        pytest.skip("the C driver has no watchdog")
    nics = [ordered.made(names, way="vfio-user") for names in DEVICES.values()]
    with faults.serving(boot, driver, nics) as guest:
        commands.parameter(guest, "stall_timeout", LIMIT)
        commands.parameter(guest, "control_timeout", COMMAND)
        yield guest


@pytest.fixture(params=NAMES)
def nic(guest, request):
    nic = guest.nics[NAMES.index(request.param)]
    yield nic
    exchange.everything(guest, nic)


def done(guest, nic, before):
    """What the watchdog has done since then: looked again, told again, reset, given up."""
    return [now - then for now, then in zip(healing.rungs(guest, nic), before)]


def sends(nic, seed):
    """Has the guest send a packet, and returns it."""
    data = ordered.frame(nic, 200, seed)
    assert ordered.receive(nic, data) == 1
    return ordered.answer(data)


def test_lost_kick(guest, nic):
    before = healing.rungs(guest, nic)
    for seed in range(10, 20):
        nic.order("deafen", queue=TX, count=1)
        ordered.sent(nic, sends(nic, seed))
        # Or the stack has sent something else meanwhile, of which the device has heard.
        if done(guest, nic, before)[1] > 0:
            break
    assert done(guest, nic, before)[1] > 0 and done(guest, nic, before)[2:] == [0, 0]


def test_lost_interrupt_of_what_is_received(guest, nic):
    before = healing.rungs(guest, nic)
    nic.order("mute", queue=RX, on=True)
    with tracing.health_steps(guest) as steps:
        answer = sends(nic, 2)
        ordered.sent(nic, answer)
        assert (nic.name, "poll", "0") in steps()
    nic.order("mute", queue=RX, on=False)
    nic.order("interrupt", queue=RX, count=1)
    assert done(guest, nic, before)[0] >= 1 and done(guest, nic, before)[2:] == [0, 0]


def test_lost_interrupt_of_what_is_sent(guest, nic):
    """It counts as sent when the driver knows of it."""

    def count():
        return counters.link(guest, nic.name)["tx_packets"]

    nic.order("mute", queue=TX, on=True)
    before = count()
    ordered.sent(nic, sends(nic, 3))
    faults.wait(lambda: count() > before, "the driver does not look")
    nic.order("mute", queue=TX, on=False)
    nic.order("interrupt", queue=TX, count=1)


def test_silent_device(guest, nic):
    before = healing.rungs(guest, nic)
    nic.order("stop", queue=TX, on=True)
    with tracing.health_steps(guest) as steps:
        sends(nic, 4)
        said = faults.said(guest, healing.reset_because(nic, r"device has not sent what is in transmit queue 0 for \d+ ms"))
        traced = [step for name, step, queue in steps() if (name, queue) == (nic.name, "0")]
    nic.order("stop", queue=TX, on=False)
    exchange.reaches(nic)
    assert len([line for line in said + errors(guest) if not faults.WATCHDOG.search(line)]) == 1
    # It was told again before that, less and less often.
    polls, kicks, *resets = done(guest, nic, before)
    assert resets == [1, 0] and 2 <= kicks <= 4
    assert traced == ["kick"] * kicks + ["reset"]


def test_slow_device(guest, nic):
    """For less than the limit."""
    before = healing.rungs(guest, nic)
    nic.order("stop", queue=TX, on=True)
    answer = sends(nic, 5)
    guest.run(f"sleep {LIMIT / 2000}")
    nic.order("stop", queue=TX, on=False)
    ordered.sent(nic, answer)
    assert done(guest, nic, before)[2:] == [0, 0]


def test_guest_that_does_not_run(guest, nic):
    """For longer than the limit: that is not held against the device."""
    before = healing.rungs(guest, nic)
    nic.order("stop", queue=TX, on=True)
    answer = sends(nic, 6)
    with guest.paused():
        time.sleep(1.5 * LIMIT / 1000)
    nic.order("stop", queue=TX, on=False)
    ordered.sent(nic, answer)
    assert done(guest, nic, before)[2:] == [0, 0]


def test_healthy_device(guest, nic):
    """Idle, and busy. On a busy machine it may be told again."""
    before = healing.rungs(guest, nic)
    with exchange.peer_on_host(), exchange.flooded(guest, nic):
        guest.run("sleep 2")
    guest.run("sleep 2")
    assert done(guest, nic, before)[2:] == [0, 0]


def test_stuck_control_queue(guest, nic):
    before = healing.rungs(guest, nic)
    nic.order("stop", queue=CONTROL, on=True)
    for _ in range(2):
        guest.run(["ip", "link", "set", nic.name, "promisc", "on"])
        guest.run(["ip", "link", "set", nic.name, "promisc", "off"])
    faults.said(guest, healing.reset_because(nic, r"device has not answered a command that others wait for, for \d+ ms"))
    nic.order("stop", queue=CONTROL, on=False)
    exchange.reaches(nic)
    assert done(guest, nic, before)[2:] == [1, 0]
    # What the device was to be told when it was reset may have been too early for it.
    guest.run(f"sleep {2 * COMMAND / 1000}")
    errors(guest)
    nic.order("violations")


def test_off(guest, nic):
    """Then nobody looks: the guest does not know of the packet before the next interrupt."""
    before = healing.rungs(guest, nic)
    commands.parameter(guest, "stall_timeout", 0)
    guest.run("sleep 0.6")
    nic.order("mute", queue=RX, on=True)
    answer = sends(nic, 7)
    guest.run("sleep 1.5")
    assert answer not in [bytes.fromhex(packet["bytes"]) for _, packet in nic.order("sent")]
    nic.order("mute", queue=RX, on=False)
    nic.order("interrupt", queue=RX, count=1)
    ordered.sent(nic, answer)
    assert done(guest, nic, before) == [0, 0, 0, 0]
    commands.parameter(guest, "stall_timeout", LIMIT)
    guest.run(["ip", "link", "set", nic.name, "down"])
    guest.bring_up(nic)
