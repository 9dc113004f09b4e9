# SPDX-License-Identifier: GPL-2.0
"""Commands that nobody waits for, against a device that refuses them, answers oddly, late or never: the log says it."""

import re
import time
from dataclasses import dataclass

import pytest

from support import binding, exchange, faults, limit, ordered
from support.kernel_log import errors

OFFERED = "MAC MRG_RXBUF STATUS GUEST_ANNOUNCE CTRL_VQ CTRL_RX CTRL_VLAN VERSION_1"
LIMIT = 1000
# Where the status is in the configuration, and what a device has there that is up and wants to be announced.
STATUS, ANNOUNCE = 6, "0300"
REFUSED = {"ack": 1}
WITHHELD = {"withheld": True}


@dataclass(frozen=True)
class Command:
    """What leads to a command, what it is, and what the log says if the device refuses it."""

    before: str
    # The device itself, if nothing.
    cause: str | None
    code: tuple[int, int]
    name: str
    refused: str
    # How the command begins that makes true what is wanted: it is sent again until the device has taken it.
    body: str | None = ""


COMMANDS = {
    "addresses": Command(
        "ip maddr add 33:33:00:00:00:77 dev NIC",
        "ip maddr del 33:33:00:00:00:77 dev NIC",
        (1, 0),
        "VIRTIO_NET_CTRL_MAC_TABLE_SET",
        "refuses VIRTIO_NET_CTRL_MAC_TABLE_SET",
    ),
    "promiscuous": Command(
        "ip link set NIC promisc on",
        "ip link set NIC promisc off",
        (0, 0),
        "VIRTIO_NET_CTRL_RX_PROMISC",
        "refuses VIRTIO_NET_CTRL_RX_PROMISC",
        "00",
    ),
    "all groups": Command(
        "ip link set NIC allmulticast on",
        "ip link set NIC allmulticast off",
        (0, 1),
        "VIRTIO_NET_CTRL_RX_ALLMULTI",
        "refuses VIRTIO_NET_CTRL_RX_ALLMULTI",
        "00",
    ),
    "vlan": Command(
        "ip link add link NIC name tagged type vlan id 7",
        "ip link delete tagged",
        (2, 1),
        "VIRTIO_NET_CTRL_VLAN_DEL",
        "does not forget VLAN 7",
        "0700",
    ),
    "announcement": Command(
        "true",
        None,
        (3, 0),
        "VIRTIO_NET_CTRL_ANNOUNCE_ACK",
        "does not take that its place was announced",
        None,
    ),
}
LENGTHS = (0, 2, 0xFFFFFFFF)


@pytest.fixture(scope="module")
def nic():
    return ordered.made(OFFERED)


@pytest.fixture(scope="module")
def guest(boot, driver, nic):
    with boot(nics=[nic], files=[exchange.PEER], shared_memory=True) as guest:
        limit.load(guest, driver, LIMIT)
        guest.run(["modprobe", "8021q"])
        # Whoever asks for it while a driver waits for an answer may have to wait too.
        nic.name = guest.bring_up(nic)
        with exchange.peer_in(guest):
            yield guest


@pytest.fixture(params=COMMANDS)
def command(request, nic):
    yield COMMANDS[request.param]
    # Of a test that has failed, nothing is left that another one would meet.
    nic.order("script", answers=[])
    nic.order("release")


def run(guest, nic, what, check=True):
    return guest.run(re.sub(r"\bNIC\b", nic.name, what), timeout=limit.HANGS, check=check)


def in_log(guest, line):
    def log():
        return guest.run(["dmesg", "--notime", "--level", "err,warn"]).stdout

    try:
        faults.wait(lambda: re.search(line, log()), "")
    except AssertionError:
        pytest.fail(f"the log does not say: {line}, but: {log()}")


def wait_for(nic, command):
    """Waits until the device has been told."""

    def found():
        bodies = [body for code, body in ordered.commands(nic) if code == command.code]
        return any(body.startswith(command.body or "") for body in bodies)

    faults.wait(found, f"the device is not told {command.name}")


def cause(guest, nic, command):
    """Has the command sent."""
    if command.cause:
        run(guest, nic, command.cause)
    else:
        nic.order("configure", offset=STATUS, bytes=ANNOUNCE)


def answered(guest, nic, command, answer):
    """Has the command sent, and answered like that."""
    run(guest, nic, command.before)
    wait_until_quiet(guest, nic)
    guest.run(["dmesg", "--clear"])
    nic.order("script", answers=[answer | {"command": command.code}])
    cause(guest, nic, command)


def wait_until_quiet(guest, nic):
    """Waits until what the stack still had to say is said, for instance because IPv6 has joined a group."""
    ordered.forget_commands(nic)
    faults.wait(lambda: time.sleep(1) or not ordered.commands(nic), "the device is told more and more")


def works(guest, nic, command):
    """The command comes to an end, and so do packets."""
    run(guest, nic, command.before)
    ordered.forget_commands(nic)
    cause(guest, nic, command)
    wait_for(nic, command)
    exchange.udp_echo(nic.guest4)
    assert errors(guest) == []


@pytest.mark.parametrize("answer", [REFUSED, {"unwritten": True}], ids=["refused", "unwritten"])
def test_refused(guest, nic, command, answer):
    answered(guest, nic, command, answer)
    in_log(guest, command.refused)
    errors(guest)
    works(guest, nic, command)


@pytest.mark.parametrize("written", LENGTHS)
def test_length_of_answer(guest, nic, command, written):
    """What it says counts: the command is done, and there is no resync."""
    answered(guest, nic, command, {"written": written})
    wait_for(nic, command)
    wait_until_quiet(guest, nic)
    assert errors(guest) == []
    works(guest, nic, command)


def timed_out(guest, nic, command):
    answered(guest, nic, command, WITHHELD)
    # Neither this nor packets wait for the answer.
    run(guest, nic, "ip link set NIC alias ALIAS")
    in_log(guest, rf"has not answered {command.name} within {LIMIT} ms")
    ordered.forget_commands(nic)
    exchange.pings(guest, nic)
    assert ordered.commands(nic) == []


def test_late(guest, nic, command):
    timed_out(guest, nic, command)
    nic.order("release")
    # The next command finds the answer, whichever it is.
    run(guest, nic, "until ip link add link NIC name other type vlan id 8; do sleep 0.1; done; ip link delete other")
    if command.body is not None:
        wait_for(nic, command)
    errors(guest)
    works(guest, nic, command)


def test_never(guest, driver, nic, command):
    """The memory of the command comes back with the device's reset."""
    timed_out(guest, nic, command)
    device = guest.virtio_device(nic)
    binding.unbind(guest, driver, device)
    binding.bind(guest, driver, device)
    nic.name = guest.bring_up(nic)
    errors(guest)
    works(guest, nic, command)
