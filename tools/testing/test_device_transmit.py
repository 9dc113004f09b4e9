# SPDX-License-Identifier: GPL-2.0
"""A device that gives back what it was to send wrongly, and one that does not hear or does not speak: nothing is lost
for good."""

import re
from pathlib import Path

import pytest

from lab import driver as drivers
from lab.agent import PYTHON
from support import bypass, commands, counters, exchange, faults, healing, ordered
from support.kernel_log import errors, no_errors  # noqa: F401

PLAIN = "MAC STATUS CTRL_VQ VERSION_1 MRG_RXBUF"
DEVICES = {
    "plain": PLAIN,
    "indirect, event index": PLAIN + " INDIRECT_DESC EVENT_IDX",
    "packed, event index": PLAIN + " RING_PACKED EVENT_IDX",
}
NAMES = list(DEVICES)
RX, TX = 0, 1


def be_patient(guest, driver, seconds):
    """How long the device may be silent until our driver resets it."""
    if driver is drivers.RUST:
        commands.parameter(guest, "stall_timeout", 1000 * seconds)


@pytest.fixture(scope="module")
def guest(boot, driver):
    nics = [ordered.made(names) for names in DEVICES.values()]
    with faults.serving(boot, driver, nics, files=[counters.NETDEV]) as guest:
        be_patient(guest, driver, 60)
        yield guest


@pytest.fixture(params=NAMES)
def nic(guest, request):
    return guest.nics[NAMES.index(request.param)]


def limits(nic):
    """The folder with what the stack lets in before the device gives something back."""
    return f"/sys/class/net/{nic.name}/queues/tx-0/byte_queue_limits"


def send(nic, fault):
    """Has the guest send a packet that the device gives back with this fault."""
    nic.order("faults", queue=TX, faults=[fault])
    ordered.echo(nic, 200)


# --- Which packet -----------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 0xFFFF, 0xFFFFFFFF])
def test_length(nic, length):
    """The device has nothing to write, so what it says that it has written means nothing."""
    send(nic, {"length": length})
    ordered.echo(nic, 300)


def test_order(guest, nic):
    """A device may be done with packets in any order."""
    # Or the stack sends nothing more before the first is done.
    guest.put(f"{limits(nic)}/limit_min", "1000000")
    send(nic, "later")
    ordered.echo(nic, 300)
    exchange.everything(guest, nic)


def test_never(guest, driver, nic):
    """The stack finds that nothing is sent, and says so; it counts. Then the device is reset."""
    faults.bind_again(guest, driver, nic)

    def timeouts():
        return counters.ethtool(guest, nic.name)["tx0_tx_timeouts"]

    before = timeouts()
    be_patient(guest, driver, 12)
    nic.order("faults", queue=TX, faults=["never"] * 1000)
    with guest.spawn(["ping", "-n", "-q", "-i", "0.2", nic.host4]):
        faults.said(guest, re.compile("NETDEV WATCHDOG"))
        faults.wait(lambda: timeouts() > before, "the timeout is not counted")
        if driver is drivers.C:
            faults.bind_again(guest, driver, nic)
            pytest.fail(healing.NOTHING_FLOWS)
        faults.said(guest, healing.reset_because(nic, r"device has not sent what is in transmit queue 0 for \d+ ms"))
        nic.order("faults", queue=TX, faults=[])
    be_patient(guest, driver, 60)
    # What was sent between these two is held for ever as well, so this is not the place to see how it goes on.
    faults.bind_again(guest, driver, nic)
    exchange.everything(guest, nic)
    # It may have come again.
    errors(guest)
    guest.kernel_messages()


@pytest.fixture
def narrow(guest):
    """The devices, where the stack lets in no more than one packet of 1400 bytes. As with little traffic, after a while."""
    for nic in guest.nics:
        guest.put(f"{limits(nic)}/limit_max", "1000")
        # It follows when something is given back.
        ordered.echo(nic, 100)
    yield guest.nics
    for nic in guest.nics:
        guest.put(f"{limits(nic)}/limit_max", "max")
        ordered.echo(nic, 300)
    assert all(faults.WATCHDOG.search(line) for line in errors(guest))
    guest.kernel_messages()


def test_one_never(guest, driver, narrow):
    """All others go on, if only when the watchdog has come."""
    for nic in narrow:
        nic.order("faults", queue=TX, faults=["never"])
        ordered.echo(nic, 1400)
    for seed in range(1, 4):
        data = [ordered.frame(nic, 100, seed) for nic in narrow]
        for nic, one in zip(narrow, data):
            ordered.receive(nic, one)
        for nic, one in zip(narrow, data):
            ordered.sent(nic, ordered.answer(one))
    for nic in narrow:
        faults.bind_again(guest, driver, nic)


def test_given_back_after_the_watchdog(guest, narrow):
    """It is not taken off what is sent later: that would be more than there is."""

    def timeouts():
        return [counters.ethtool(guest, nic.name)["tx0_tx_timeouts"] for nic in narrow]

    before = timeouts()
    data = [ordered.frame(nic, 1400) for nic in narrow]
    for nic, one in zip(narrow, data):
        nic.order("stop", queue=TX, on=True)
        ordered.receive(nic, one)
    faults.wait(lambda: all(now > then for now, then in zip(timeouts(), before)), "the watchdog does not come")
    for nic, one in zip(narrow, data):
        nic.order("stop", queue=TX, on=False)
        ordered.sent(nic, ordered.answer(one))


WRONG = {
    "never lent": "not_lent",
    "out of range": {"id": 256},
    "out of range, highest": {"id": 0xFFFFFFFF},
    "twice": "twice",
    "index too far": {"jump": 257},
    "index half around": {"jump": 0x8000},
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_packet(guest, driver, nic, kind):
    """The core takes no more from the queue then, and says so; the device is reset."""
    faults.skip_if_it_cannot_be(WRONG[kind], nic is guest.nics[NAMES.index("packed, event index")])
    faulty = nic.order("faulty")
    nic.order("faults", queue=TX, faults=[WRONG[kind]])
    # The answer is not sent any more if the fault meets another packet of the guest's first.
    assert ordered.receive(nic, ordered.frame(nic, 200)) == 1
    faults.wait(lambda: nic.order("faulty") > faulty, "the guest sends nothing")
    # Or the driver does not look before there is more to see.
    nic.order("interrupt", queue=TX, count=1)
    healing.queue_heals(guest, driver, nic, "transmit")
    exchange.everything(guest, nic)


# --- Who is not heard -------------------------------------------------------------


@pytest.fixture
def unlimited(guest, nic):
    """The stack does not hold back what the device has not given back yet. Its limit changes when something is given back."""
    guest.put(f"{limits(nic)}/limit_min", "1000000")
    ordered.echo(nic, 300)
    yield
    guest.put(f"{limits(nic)}/limit_min", "0")


@pytest.mark.parametrize("queue", [RX, TX])
def test_interrupts_lost(nic, unlimited, queue):
    """The next one is enough."""
    nic.order("mute", queue=queue, on=True)
    data = [ordered.frame(nic, 200, seed) for seed in range(1, 20)]
    for one in data:
        assert ordered.receive(nic, one) == 1
    answers = [ordered.answer(one) for one in data]
    if queue == TX:
        ordered.sent(nic, *answers)
    nic.order("mute", queue=queue, on=False)
    nic.order("interrupt", queue=queue, count=1)
    if queue == RX:
        ordered.sent(nic, *answers)
    ordered.echo(nic, 300)


@pytest.mark.parametrize("queue", [RX, TX])
def test_interrupts_without_reason(guest, nic, queue):
    for count in (1, 10, 1000):
        nic.order("interrupt", queue=queue, count=count)
        ordered.echo(nic, 300)
    exchange.everything(guest, nic)


def test_storm_with_each_packet(guest, nic):
    for queue in (RX, TX):
        nic.order("faults", queue=queue, faults=[{"interrupts": 50}] * 500)
    exchange.everything(guest, nic)


@pytest.mark.parametrize("queues", [[TX], [RX, TX]], ids=["transmit", "both"])
def test_device_that_stops(guest, nic, queues):
    """It hears nothing and does nothing for a while; what was sent meanwhile is sent when it goes on."""
    for queue in queues:
        nic.order("stop", queue=queue, on=True)
    done = guest.run(["ping", "-n", "-q", "-c", 3, "-i", "0.2", "-W", 1, nic.host4], check=False)
    assert " 0 received" in done.stdout
    for queue in queues:
        nic.order("stop", queue=queue, on=False)
    exchange.reaches(nic)
    exchange.everything(guest, nic)
    assert errors(guest) == []


def test_device_that_stops_for_long(guest, nic):
    """For ten seconds. The stack may find by then that nothing is sent, and say so."""
    for queue in (RX, TX):
        nic.order("stop", queue=queue, on=True)
    done = guest.run(["ping", "-n", "-q", "-c", 10, "-i", 1, "-W", 1, nic.host4], check=False)
    assert " 0 received" in done.stdout
    for queue in (RX, TX):
        nic.order("stop", queue=queue, on=False)
    exchange.reaches(nic)
    exchange.everything(guest, nic)
    assert [line for line in errors(guest) if not faults.WATCHDOG.search(line)] == []
    guest.kernel_messages()


def test_kernel_speaks_while_the_queue_is_full(guest, nic):
    """With netconsole, which looks for room by itself: when there is some, all goes on, without the watchdog."""

    def stops():
        return counters.of_queues(guest, nic.name)["tx0"]["tx-stop"]

    def timeouts():
        return counters.ethtool(guest, nic.name)["tx0_tx_timeouts"]

    before = stops()
    # Nothing else may have the driver look.
    nic.order("peer", kind="sink")
    nic.order("stop", queue=RX, on=True)
    target = f"514@{nic.guest4}/{nic.name},514@{nic.host4}/{ordered.SOURCE.hex(':')}"
    guest.run(["modprobe", "netconsole", f"netconsole={target}"])
    nic.order("stop", queue=TX, on=True)
    guest.put("/tmp/fill.py", Path(bypass.__file__).read_text())
    guest.run([*PYTHON, "/tmp/fill.py", nic.name])
    assert stops() > before
    guest.run("echo '<5>anybody there?' >/dev/kmsg; sleep 0.5")
    # On a busy machine it may have come by now.
    before = timeouts()
    nic.order("stop", queue=TX, on=False)
    heard = []

    def is_heard():
        heard.extend(bytes.fromhex(packet["bytes"]) for _, packet in nic.order("sent"))
        return any(b"anybody there?" in one for one in heard)

    faults.wait(is_heard, "the kernel is not heard")
    nic.order("stop", queue=RX, on=False)
    guest.run(["modprobe", "-r", "netconsole"])
    nic.order("peer", kind="tap")
    exchange.everything(guest, nic)
    assert timeouts() == before
    assert all(faults.WATCHDOG.search(line) for line in errors(guest))
    guest.kernel_messages()
