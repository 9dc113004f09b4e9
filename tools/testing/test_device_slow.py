# SPDX-License-Identifier: GPL-2.0
"""A device that takes its time for each command: what is many commands has a limit, and others are let in between."""

import time

import pytest

from lab import driver as drivers
from support import commands, exchange, faults, limit, ordered
from support.kernel_log import errors
from support.suspend import to_sleep

LIMIT = 1000
# As many pairs as take two requests for statistics: each is for 32 queues.
MANY = 20
STATS_GET, ADDRESS, VLAN_ADD, LAST = (8, 1), (1, 1), (2, 0), ((6, 2), "03000000")
DEVICES = {
    "settings": ("MAC MRG_RXBUF STATUS CTRL_VQ CTRL_RX CTRL_VLAN CTRL_MAC_ADDR MQ NOTF_COAL VQ_NOTF_COAL VERSION_1 RING_RESET", 2),
    "counters": ("MAC MRG_RXBUF STATUS CTRL_VQ MQ DEVICE_STATS VERSION_1 RING_RESET", MANY),
}
VLANS = range(7, 27)


@pytest.fixture(scope="module")
def guest(boot, driver):
    # With vhost-user a device has fewer queues.
    nics = [ordered.made(names, pairs, way="vfio-user") for names, pairs in DEVICES.values()]
    with boot(nics=nics, files=[exchange.PEER], shared_memory=True) as guest:
        limit.load(guest, driver, LIMIT)
        guest.run(["modprobe", "8021q"])
        faults.bring_up(guest)
        name = nics[0].name
        lines = "".join(f"link add link {name} name vlan{vid} type vlan id {vid}\n" for vid in VLANS)
        guest.run(["ip", "-batch", "-"], input=lines.encode())
        with exchange.peer_in(guest):
            yield guest


def slow(nic, milliseconds):
    nic.order("script", answers=[{"delay_ms": milliseconds}] * 1000)


def until_sent(nic, sent, wanted, at_most=60):
    """Waits for a command, and returns all until then."""
    end = time.monotonic() + at_most
    while not any(code == wanted[0] and body.startswith(wanted[1]) for code, body in sent):
        assert time.monotonic() < end, f"the device has not been told: {sent}"
        time.sleep(0.02)
        sent += ordered.commands(nic)
    return sent


def vlans(sent):
    return {int.from_bytes(bytes.fromhex(body), "little") for code, body in sent if code == VLAN_ADD}


def rest_is_sent(guest, nic, sent):
    """What is left of the settings comes, and packets flow."""
    until_sent(nic, sent, LAST)
    nic.order("script", answers=[])
    assert vlans(sent) >= set(VLANS)
    # The last one may have come too late, and is sent again then.
    commands.resynced(guest)
    errors(guest)
    exchange.pings(guest, nic)


def test_counters(guest):
    """All that is shown at once has the limit of one command."""
    nic = guest.nics[1]
    ordered.forget_commands(nic)
    slow(nic, LIMIT * 7 // 10)
    guest.run(["ethtool", "-S", nic.name])
    nic.order("script", answers=[])
    asked = [code for code, _ in ordered.commands(nic)]
    assert asked == [STATS_GET] * 2
    said = errors(guest)
    assert any("VIRTIO_NET_CTRL_STATS_GET and others before" in line for line in said), said
    exchange.pings(guest, nic)


def test_others_come_between(guest):
    """A resync goes on where it has stopped, and who wants the lock does not wait for all of it."""
    nic = guest.nics[0]
    nic.order("script", answers=[{"command": ADDRESS, "withheld": True}])
    guest.run(f"ip link set {nic.name} address 02:00:00:00:00:55", check=False)
    ordered.forget_commands(nic)
    slow(nic, LIMIT // 10)
    nic.order("release")
    sent = until_sent(nic, [], (VLAN_ADD, ""))
    guest.run(f"ip link set {nic.name} alias something")
    sent += ordered.commands(nic)
    assert not vlans(sent) >= set(VLANS), "the lock was held until all was sent"
    rest_is_sent(guest, nic, sent)


def test_others_are_not_held_up(guest, driver):
    """While one device has a command that it does not answer, ethtool sets and shows what it is asked of another."""
    if driver is drivers.C:
        pytest.skip("C has the rtnl lock meanwhile")
    one, other = guest.nics
    timeout = f"/sys/module/{driver.name}/parameters/control_timeout"
    ordered.forget_commands(one)
    one.order("script", answers=[{"withheld": True}])
    guest.run(f"echo {60 * LIMIT} >{timeout}")
    with guest.spawn(["ethtool", "-C", one.name, "rx-usecs", "7"]) as running:
        faults.wait(lambda: ordered.commands(one), "the device has not been told")
        guest.run(f"ethtool -S {other.name} && ethtool -G {other.name} rx 128 && ethtool -g {other.name} && ethtool -c {other.name}")
        assert running.ended(0) is None, running.output()
        one.order("release")
        running.wait()
    guest.run(f"echo {LIMIT} >{timeout}")
    for nic in guest.nics:
        exchange.pings(guest, nic)
    assert not errors(guest)


def test_resume(guest):
    """What is left is restored when the machine is awake, and all has been in the end."""
    nic = guest.nics[0]
    ordered.forget_commands(nic)
    slow(nic, LIMIT // 4)
    to_sleep(guest)
    sent = ordered.commands(nic)
    assert not vlans(sent) >= set(VLANS), "the machine was awake only when all was restored"
    rest_is_sent(guest, nic, sent)
