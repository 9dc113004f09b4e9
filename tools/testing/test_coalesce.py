# SPDX-License-Identifier: GPL-2.0
"""Settings of interrupts, on a device that puts off none: NAPI for what is sent goes on and off with them."""

import re

import pytest

from lab import driver as drivers
from support import exchange, faults, queues
from support.kernel_log import no_errors  # noqa: F401
from support.nics import PACKED, SMALL

PAIRS = 2
DEVICES = {"plain": {"queues": PAIRS}, "packed, small": {"queues": PAIRS} | PACKED | SMALL}
NAMES = list(DEVICES)
SHOWN = ("rx-usecs", "rx-frames", "tx-usecs", "tx-frames")
AT_FIRST = {"rx-usecs": 0, "rx-frames": 1, "tx-usecs": 0, "tx-frames": 1}
NO_NAPI = AT_FIRST | {"tx-frames": 0}


@pytest.fixture(scope="module")
def guest(boot, driver):
    with boot(nics=DEVICES.values(), files=[exchange.PEER]) as guest:
        driver.load(guest)
        for nic in guest.nics:
            guest.bring_up(nic)
        with exchange.peer_in(guest), exchange.peer_on_host():
            yield guest


@pytest.fixture(params=NAMES)
def nic(guest, request):
    nic = guest.nics[NAMES.index(request.param)]
    if settings(guest, nic) != [AT_FIRST] * PAIRS:
        down(guest, nic)
        change(guest, nic, "tx-frames 1")
        guest.bring_up(nic)
    return nic


def numbers(text):
    """What is not there has a value of its own, as of `n/a`."""
    return {name: int(value) for name, value in re.findall(r"^(\S+):\s+(\d+)$", text, re.MULTILINE) if name in SHOWN}


def settings(guest, nic):
    """Of each pair of queues."""
    text = guest.run(["ethtool", "-Q", guest.interface(nic), "queue_mask", "0x3", "--show-coalesce"]).stdout
    return [numbers(part) for part in re.split(r"^Queue: \d+$", text, flags=re.MULTILINE)[1:]]


def setting(guest, nic):
    """Of all of them."""
    return numbers(guest.run(["ethtool", "-c", guest.interface(nic)]).stdout)


def change(guest, nic, what, check=True, queue=None):
    name = guest.interface(nic)
    mask = f"-Q {name} queue_mask {1 << queue:#x} --coalesce" if queue is not None else f"-C {name}"
    return guest.run(f"ethtool {mask} {what}", check=check)


def down(guest, nic):
    guest.run(["ip", "link", "set", guest.interface(nic), "down"])


def kicks(guest, nic):
    """Interrupts of the transmit queues."""
    return sum(n for name, n in queues.counts(guest, guest.virtio_device(nic)).items() if name.startswith("output"))


def test_at_first(guest, nic):
    assert setting(guest, nic) == AT_FIRST
    assert settings(guest, nic) == [AT_FIRST] * PAIRS


REFUSED = {
    "rx-usecs 10": "not supported",
    "tx-usecs 10": "not supported",
    "rx-frames 0": "Invalid",
    "rx-frames 2": "Invalid",
    "tx-frames 2": "Invalid",
    "tx-frames 0": "busy",
    "tx-frames 0 rx-usecs 10": "busy",
}
# What the stack refuses by itself.
NOT_THERE = ["tx-usecs-irq 1", "sample-interval 1", "adaptive-tx on"]


@pytest.mark.parametrize("what", [*REFUSED, *NOT_THERE])
def test_refused(guest, nic, what):
    done = change(guest, nic, what, check=False)
    assert done.rc != 0 and REFUSED.get(what, "unsupported") in done.stderr, done
    assert setting(guest, nic) == AT_FIRST


@pytest.mark.parametrize("what", REFUSED)
def test_refused_for_one_queue(guest, nic, what):
    """Of which ethtool's exit status says nothing."""
    assert REFUSED[what] in change(guest, nic, what, check=False, queue=1).stderr
    assert settings(guest, nic) == [AT_FIRST] * PAIRS


def test_queue_that_is_not_there(guest, nic):
    name = guest.interface(nic)
    assert guest.run(f"ethtool -Q {name} queue_mask 0x4 --show-coalesce", check=False).rc != 0


def test_napi_goes_and_comes(guest, nic):
    """Traffic goes on with either; without NAPI there are no interrupts for what has been sent."""
    for frames, expected in ((0, NO_NAPI), (1, AT_FIRST), (0, NO_NAPI), (1, AT_FIRST)):
        down(guest, nic)
        change(guest, nic, f"tx-frames {frames}")
        assert setting(guest, nic) == expected
        assert settings(guest, nic) == [expected] * PAIRS
        guest.bring_up(nic)
        exchange.everything(guest, nic)
        before = kicks(guest, nic)
        queues.flows(guest, nic.host4)
        if frames:
            faults.wait(lambda before=before: kicks(guest, nic) > before, "no interrupt for what was sent")
        else:
            assert kicks(guest, nic) == before


def test_napi_of_one_queue(guest, nic):
    down(guest, nic)
    change(guest, nic, "tx-frames 0", queue=1)
    assert settings(guest, nic) == [AT_FIRST, NO_NAPI]
    # That of all is shown of the first.
    assert setting(guest, nic) == AT_FIRST
    guest.bring_up(nic)
    exchange.everything(guest, nic)
    queues.flows(guest, nic.host4)
    # With NAPI on for one, it is refused for all while the interface is up.
    assert "busy" in change(guest, nic, "tx-frames 1", check=False, queue=1).stderr
    down(guest, nic)
    change(guest, nic, "tx-frames 0")
    assert settings(guest, nic) == [NO_NAPI] * PAIRS
    guest.bring_up(nic)
    exchange.everything(guest, nic)


def test_changes_between_bursts(guest, nic):
    """What was being sent when the interface went down is counted neither twice nor never."""
    for frames in (0, 1) * 4:
        with exchange.flooded(guest, nic):
            exchange.reaches(nic)
            down(guest, nic)
            for attempt in range(20):
                done = change(guest, nic, f"tx-frames {frames}", check=False)
                if done.rc == 0:
                    break
                assert "busy" in done.stderr, done
            assert setting(guest, nic)["tx-frames"] == frames
            guest.bring_up(nic)
            exchange.reaches(nic)
    exchange.everything(guest, nic)


def test_without_napi_from_the_start(boot, driver):
    with boot(nics=[{"queues": PAIRS}], files=[exchange.PEER]) as guest:
        driver.load(guest, "napi_tx=0")
        nic = guest.nics[0]
        assert setting(guest, nic) == NO_NAPI
        change(guest, nic, "tx-frames 1")
        guest.bring_up(nic)
        with exchange.peer_in(guest):
            exchange.everything(guest, nic)
        assert settings(guest, nic) == [AT_FIRST] * PAIRS


def test_adaptive_needs_a_device_for_it(guest, nic, driver):
    if driver is drivers.C:
        pytest.skip("the C driver reports success, and does nothing")
    assert "not supported" in change(guest, nic, "adaptive-rx on", check=False).stderr
