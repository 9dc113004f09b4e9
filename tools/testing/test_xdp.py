# SPDX-License-Identifier: GPL-2.0
"""XDP programs: each verdict, and each thing that a program can do to a packet, with each kind of receive buffers."""

import os
import re
import time
from pathlib import Path

import pytest

from lab import kernel, xdp
from lab.agent import PYTHON
from support import attaching, counters, exchange, nics
from support.bpf import programs  # noqa: F401
from support.kernel_log import no_errors  # noqa: F401
from support.nics import BIG, LEGACY, NO_CONTROL_QUEUE, NO_GUEST_CSUM, PACKED, SMALL

DEVICES = {
    "mergeable": {},
    "packed": PACKED | {"queues": 4},
    "small": SMALL | NO_GUEST_CSUM,
    "big": BIG,
    "legacy": LEGACY,
}
NAMES = list(DEVICES)
ATTACHING = Path(attaching.__file__)
# How often a program is attached under traffic. CYCLES says another number.
ATTACHES = int(os.environ.get("CYCLES") or kernel.rounds(400))
# With the header: the shortest, around what is copied, and the longest.
LENGTHS = (60, 64, 127, 128, 129, 1000, 1513, 1514)


@pytest.fixture(scope="module")
def guest(boot, driver, programs):
    with boot(nics=[*DEVICES.values()], files=[exchange.PEER, ATTACHING, programs]) as guest:
        driver.load(guest)
        xdp.load(guest)
        for nic in guest.nics:
            guest.bring_up(nic)
        with exchange.peer_in(guest):
            yield guest


@pytest.fixture(params=NAMES)
def nic(guest, request):
    nic = guest.nics[NAMES.index(request.param)]
    with exchange.reached(nic):
        yield nic


def grown(guest, name, before, **wanted):
    """Waits until the counters have grown by so much, which they do not go beyond."""
    limit = time.monotonic() + exchange.TIMEOUT
    while True:
        after = counters.ethtool(guest, name)
        found = {counter: after[counter] - before[counter] for counter in wanted}
        if found == wanted or time.monotonic() > limit:
            break
        time.sleep(0.05)
    assert found == wanted


@pytest.fixture
def name(guest, nic):
    return guest.interface(nic)


def test_pass(guest, nic, name):
    with xdp.attached(guest, name, "pass"):
        exchange.everything(guest, nic)


@pytest.mark.parametrize("program", ["drop", "aborted", "unknown"])
def test_drop(guest, nic, name, program):
    before = counters.ethtool(guest, name)
    with xdp.attached(guest, name, program):
        exchange.send_frames(nic, LENGTHS)
        count = len(LENGTHS)
        grown(guest, name, before, rx_xdp_drops=count, rx_drops=count, rx_xdp_tx=0, rx_xdp_redirects=0)
        exchange.reaches(nic)


@pytest.mark.parametrize("program", ["tx", "itself"])
def test_sent_back(guest, nic, name, program):
    before = counters.ethtool(guest, name)
    with xdp.attached(guest, name, program):
        exchange.frames_echo(nic, LENGTHS)
        sent = {"rx_xdp_tx" if program == "tx" else "rx_xdp_redirects": len(LENGTHS)}
        grown(guest, name, before, tx_xdp_tx=len(LENGTHS), tx_xdp_tx_drops=0, **sent)


# What programs do to the packets that they send back.
CHANGES = {
    "push": lambda body: bytes([0x5A]) * 200 + body,
    "pull": lambda body: body[10:],
    "grow": lambda body: body + bytes(100),
    "shrink": lambda body: body[:-20],
}


@pytest.mark.parametrize("program", CHANGES)
def test_changed(guest, nic, name, program):
    with xdp.attached(guest, name, program):
        exchange.frames_echo(nic, [100, 128, 129, 1000, 1314], answer_to=CHANGES[program])


def test_metadata(guest, nic, name):
    """It stays with the packet on its way through the stack, and is not a part of it."""
    with xdp.attached(guest, name, "meta"):
        exchange.frames_echo(nic, LENGTHS)


def test_another_nic(guest, nic, name):
    """There need not be a program where the frames go to."""
    other = guest.nics[NAMES.index("packed" if nic is guest.nics[0] else "mergeable")]
    xdp.send_to(guest, guest.interface(other))
    before = counters.ethtool(guest, guest.interface(other))
    with xdp.attached(guest, name, "elsewhere"):
        exchange.frames_echo(nic, LENGTHS, ends=other)
    grown(guest, guest.interface(other), before, tx_xdp_tx=len(LENGTHS), tx_xdp_tx_drops=0)


def test_long_packets(guest):
    """Packets of several buffers: as they are for a program that takes such, in one piece for others if they fit."""
    nic = guest.nics[0]
    name = guest.interface(nic)
    nics.set_mtu(guest, nic, 9000)
    refused = xdp.attach(guest, name, "tx", check=False)
    assert refused.rc != 0 and "MTU too large" in refused.stderr
    lengths = [60, 1514, 3494, 3495, 3508, 3509, 3520, 3521, 7000, 9014]
    for program, changed in (("tx", None), ("itself", None), ("shrink", CHANGES["shrink"])):
        with xdp.attached(guest, name, f"{program}_frags"):
            exchange.frames_echo(nic, lengths, answer_to=changed or (lambda body: body))
    with xdp.attached(guest, name, "pass_frags"):
        exchange.pings(guest, nic, 9000)
        exchange.tcp_to_guest(nic.guest4)
    nics.set_mtu(guest, nic, 3506)
    with xdp.attached(guest, name, "tx"):
        assert guest.run(["ip", "link", "set", name, "mtu", 3507], check=False).rc != 0
        exchange.frames_echo(nic, [length for length in lengths if length <= 3520])
    nics.set_mtu(guest, nic, 1500)
    exchange.reaches(nic)


@pytest.mark.parametrize("nic", ["mergeable", "small"], indirect=True)
def test_attached_under_traffic(guest, nic, name):
    """No packet is lost: no buffer is taken back. But what a device may merge for the stack, and not for a program, is
    dropped if it has come before."""
    before = counters.ethtool(guest, name)
    command = [*PYTHON, f"/payload/{ATTACHING.name}", name, ATTACHES, f"{xdp.MOUNTED}/xdp/pass"]
    with exchange.peer_on_host(), exchange.flooded(guest, nic), guest.spawn(command) as looping:
        while (rc := looping.ended(0)) is None:
            exchange.tcp_to_guest(nic.guest4)
            exchange.tcp_from_guest(nic.guest4)
        assert rc == 0, looping.output()
    after = counters.ethtool(guest, name)
    lost = {counter: after[counter] - before[counter] for counter in after if re.search("drops|errors", counter)}
    assert nic is guest.nics[0] or not any(lost.values()), lost


def test_short_ring(guest):
    """A ring that the longest packet just fits into has no buffers to spare for the room that a program wants: packets are
    copied for it."""
    nic = guest.nics[NAMES.index("packed")]
    name = guest.interface(nic)
    nics.set_mtu(guest, nic, 65500)
    guest.run(["ethtool", "-G", name, "rx", 18])
    with xdp.attached(guest, name, "tx_frags"):
        exchange.frames_echo(nic, [60, 1514, 3520, 3521, 30000, 62000], batch=1)
    with xdp.attached(guest, name, "pass_frags"):
        exchange.pings(guest, nic, 62000)
    guest.run(["ethtool", "-G", name, "rx", 256])
    nics.set_mtu(guest, nic, 1500)
    exchange.reaches(nic)


def frames_sent(guest, name):
    """How many frames have been sent, by transmit queues that the stack uses and in all."""
    shown = guest.run(["ethtool", "-S", name]).stdout
    return sum(int(count) for count in re.findall(r"tx\d+_xdp_tx: (\d+)", shown)), counters.ethtool(guest, name)["tx_xdp_tx"]


@pytest.mark.parametrize("used, own", [(1, True), (2, True), (3, False), (4, False)])
def test_queues_of_their_own(guest, used, own):
    """Frames have queues that the stack does not use, if there is one for each CPU."""
    nic = guest.nics[NAMES.index("packed")]
    name = guest.interface(nic)
    with xdp.attached(guest, name, "tx"):
        guest.run(["ethtool", "-L", name, "combined", used])
        before = frames_sent(guest, name)
        exchange.frames_echo(nic, LENGTHS * 4)
        after = frames_sent(guest, name)
        exchange.everything(guest, nic)
    came = [now - then for now, then in zip(after, before)]
    assert came == [0 if own else 4 * len(LENGTHS), 4 * len(LENGTHS)]
    exchange.everything(guest, nic)
    guest.run(["ethtool", "-L", name, "combined", 2])


def test_settings(guest):
    """A program stays through all that can be set."""
    nic = guest.nics[NAMES.index("packed")]
    name = guest.interface(nic)
    with xdp.attached(guest, name, "tx"):
        for command in (
            ["ethtool", "-L", name, "combined", 3],
            ["ethtool", "-G", name, "rx", 128, "tx", 128],
            ["ethtool", "-L", name, "combined", 1],
            ["ip", "link", "set", name, "mtu", 1400],
            f"ip link set {name} down; ip link set {name} up",
            ["ethtool", "-K", name, "rx-gro-hw", "off"],
            ["ethtool", "-K", name, "rx-gro-hw", "on"],
            ["ip", "link", "set", name, "mtu", 1500],
        ):
            guest.run(command)
            exchange.reaches(nic)
            exchange.frames_echo(nic, LENGTHS)
        assert "xdp" in guest.run(["ip", "link", "show", name]).stdout
    # The address of IPv6 went when it was set down.
    guest.bring_up(nic)
    exchange.everything(guest, nic)


def test_offloads(guest, nic, name):
    """What the device may do to received packets is off with a program, whatever is set meanwhile, and on without."""
    assert nics.tap_has_gso(nic) == (nic is not guest.nics[NAMES.index("small")])
    with xdp.attached(guest, name, "pass"):
        assert not nics.tap_has_gso(nic)


def test_offloads_that_stay(boot, driver, programs):
    """A device that cannot be told to leave packets alone."""
    with boot(nics=[NO_CONTROL_QUEUE], files=[programs]) as guest:
        driver.load(guest)
        xdp.load(guest)
        guest.bring_up(guest.nics[0])
        refused = xdp.attach(guest, guest.interface(guest.nics[0]), "pass", check=False)
        assert refused.rc != 0 and "disable GRO_HW/CSUM first" in refused.stderr
        exchange.reaches(guest.nics[0])
