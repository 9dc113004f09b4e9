# SPDX-License-Identifier: GPL-2.0
"""The MTU changes while packets come and go, in each receive mode: what is received afterwards is whole."""

import json

import pytest

from lab import host
from support import exchange
from support.kernel_log import no_errors  # noqa: F401
from support.nics import BIG, MERGEABLE, PACKED, SMALL, TAP_MTU, set_mtu

DEVICES = {"small": SMALL, "big": BIG, "mergeable": MERGEABLE, "mergeable, packed": MERGEABLE | PACKED}
NAMES = list(DEVICES)
# Up and down, over a page, below what IPv6 asks of a link, and to the limits.
MTUS = (9000, 1280, 68, 65535, 1501, 4000, 1500) * 3


@pytest.fixture(scope="module")
def guest(boot, driver):
    with boot(nics=DEVICES.values(), files=[exchange.PEER], memory="2G") as guest:
        driver.load(guest)
        # With an MTU of 68 many datagrams lack a fragment. Those that wait for it, by default for half a minute, take all
        # memory that there is for such, and no other datagram is put together.
        guest.run(["sysctl", "-qw", "net.ipv4.ipfrag_time=1"])
        host.run("sysctl", "-qw", "net.ipv4.ipfrag_time=1")
        with exchange.peer_in(guest):
            yield guest


@pytest.mark.parametrize("device", NAMES)
def test_changes_under_traffic(guest, device):
    nic = guest.nics[NAMES.index(device)]
    name = guest.bring_up(nic)
    most = json.loads(guest.run(["ip", "-json", "-details", "link", "show", name]).stdout)[0]["max_mtu"]
    # With the least MTU these are 600 fragments at a time each way, and what is asked waits behind them.
    with exchange.flooded(guest, nic, 5 * exchange.PAUSE):
        for mtu in MTUS:
            mtu = min(mtu, most)
            set_mtu(guest, nic, mtu)
            exchange.reaches(nic)
    # With the last MTU below 1280 the addresses of IPv6 went.
    guest.run(f"ip address replace {nic.guest6}/64 dev {name} nodad")
    host.run("ip", "address", "replace", f"{nic.host6}/64", "dev", nic.tap, "nodad")
    for mtu in (1500, most):
        set_mtu(guest, nic, mtu)
        exchange.everything(guest, nic, min(mtu, TAP_MTU))
        exchange.frames_echo(nic, range(14, min(mtu, TAP_MTU) + 15, 379))
    guest.run(["ip", "link", "set", name, "down"])
