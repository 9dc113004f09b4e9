# SPDX-License-Identifier: GPL-2.0
"""Live migration: the guest moves from one QEMU to another while packets flow."""

import os
import re

import pytest

from lab import kernel, xdp
from lab import driver as drivers
from lab.moving import MovingGuest
from lab.nic import Bridged
from support import bpf, counters, drawn, exchange, moving
from support.announcements import arp_of, wait_for
from support.kernel_log import no_errors  # noqa: F401
from support.nics import PACKED, SMALL

DEVICES = [{"queues": 2}, {"queues": 2} | PACKED | SMALL]
# CYCLES says another number.
TIMES = int(os.environ.get("CYCLES") or kernel.rounds(8))
SETTINGS = """
ip link set NIC mtu 1400 allmulticast on
ip link add link NIC name above type vlan id 7
ip maddress add 01:00:5e:7f:00:07 dev NIC
ethtool -L NIC combined 1
ethtool -G NIC rx 128 tx 64
ethtool -K NIC tso off
"""
BACK = """
ip link delete above
ip link set NIC mtu 1500 allmulticast off
ip maddress del 01:00:5e:7f:00:07 dev NIC
ethtool -L NIC combined 2
ethtool -G NIC rx 256 tx 256
ethtool -K NIC tso on
"""


@pytest.fixture(scope="module")
def guest(boot, driver, tmp_path_factory):
    nics = [Bridged(properties) for properties in DEVICES]
    files = [exchange.PEER, bpf.build("xdp", tmp_path_factory.mktemp("xdp"))]
    with boot(kind=MovingGuest, nics=nics, files=files) as guest:
        driver.load(guest)
        guest.run(["modprobe", "8021q"])
        for nic in guest.nics:
            nic.name = guest.bring_up(nic)
        xdp.load(guest)
        with exchange.peer_in(guest), exchange.peer_on_host():
            yield guest


def steps(guest, nic):
    """How often a watchdog has told the device again, or found it broken. C has none."""
    found = counters.ethtool(guest, nic.name)
    return {name: found[name] for name in ("watchdog_kicks", "watchdog_resets") if name in found}


def test_traffic_goes_on(guest):
    """Nothing is lost that TCP does not mend, and whoever had the guest's address in another place learns of the new one."""
    for _ in range(TIMES):
        before = [counters.ethtool(guest, nic.name) for nic in guest.nics]
        moving.under_traffic(guest, guest.nics, guest.move)
        for nic, old in zip(guest.nics, before):
            assert set(steps(guest, nic).values()) <= {0}
            # They belong to the guest, so they go on.
            assert all(counters.ethtool(guest, nic.name)[name] >= value for name, value in old.items())
    for nic in guest.nics:
        exchange.everything(guest, nic)


# What a device lacks in the place where the guest is to go to, and what QEMU says there. With fewer queues it ends in a fault of its own.
LESS = {"queues": ({"queues": 1, "mq": "off"}, ""), "features": ({"queues": 2, "host_tso4": "off"}, r"Features 0x\w+ unsupported")}


@pytest.mark.parametrize("less", LESS)
def test_refused(guest, less):
    """Where the device has less than the guest uses, QEMU does not take it. It goes on where it was, and nothing is lost there either."""
    device, says = LESS[less]
    said = moving.under_traffic(guest, guest.nics, lambda: guest.move_in_vain(**device))
    assert re.search(says, said), said
    for nic in guest.nics:
        assert set(steps(guest, nic).values()) <= {0}
        exchange.everything(guest, nic)


def test_announcement(guest):
    """The guest itself says where it is now, with all of its addresses, since the device asks for that."""
    nic = guest.nics[0]
    with arp_of(nic) as count:
        guest.move()
        wait_for(count)


@pytest.mark.parametrize("number", [0, 1], ids=["split", "packed, small"])
def test_settings_stay(guest, driver, number):
    nic = guest.nics[number]
    guest.run(SETTINGS.replace("NIC", nic.name))

    def found():
        device = guest.qmp("query-rx-filter", name=nic.id)[0]
        return drawn.shown(guest, nic), {name: sorted(value) if isinstance(value, list) else value for name, value in device.items()}

    before = found()
    assert 7 in before[1]["vlan-table"]
    guest.move()
    assert found() == before
    exchange.reaches(nic)
    guest.run(BACK.replace("NIC", nic.name))
    exchange.everything(guest, nic)


def test_program(guest, driver):
    """A program stays, and what is off for it. With C it needs queues of its own."""
    if driver is drivers.C:
        pytest.skip("the C driver refuses it on a device with a pair for each CPU and no more")
    nic = guest.nics[0]
    with xdp.attached(guest, nic.name, "tx"):
        guest.move()
        exchange.reaches(nic)
        exchange.frames_echo(nic, [60, 1514])
    exchange.everything(guest, nic)
