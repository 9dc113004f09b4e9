# SPDX-License-Identifier: GPL-2.0
"""Commands to which the device never answers, or that it gives back without a word, leave nothing behind: that is
looked for when the guest ends."""

import pytest

from lab import driver as drivers
from support import exchange, faults, limit, ordered
from support.kernel_log import errors
from support.kernels import debug_only

pytestmark = debug_only("the stock kernel does not say what leaks")

OFFERED = "MAC STATUS CTRL_VQ CTRL_RX CTRL_VLAN CTRL_MAC_ADDR MRG_RXBUF DEVICE_STATS VERSION_1"
WAYS = ("vhost-user", "vfio-user")
LIMIT, ROUNDS = 1000, 2
# One command that somebody waits for and one that nobody does, then some more.
COMMANDS = (
    "ip link set NAME promisc on",
    "ip link set NAME address 02:00:00:00:00:55",
    "ip link set NAME promisc off",
    "ethtool -S NAME",
)


@pytest.fixture(scope="module")
def guest(boot, driver):
    if driver is drivers.C:
        pytest.skip("the C driver waits for the answer, with the rtnl lock")
    nics = [ordered.made(OFFERED, way=way) for way in WAYS]
    with boot(nics=nics, files=[exchange.PEER], shared_memory=True, leaks=True) as guest:
        limit.load(guest, driver, LIMIT)
        faults.bring_up(guest)
        yield guest


@pytest.fixture(params=WAYS)
def nic(guest, request):
    return guest.nics[WAYS.index(request.param)]


@pytest.mark.parametrize("answer", [{"withheld": True}, {"unwritten": True}], ids=["none", "unwritten"])
def test_commands(guest, driver, nic, answer):
    """Each time with all of them open when the device is unbound."""
    for _ in range(ROUNDS):
        nic.order("script", answers=[answer] * 100)
        guest.run("; ".join(COMMANDS).replace("NAME", nic.name), check=False)
        nic.order("script", answers=[])
        faults.bind_again(guest, driver, nic)
        exchange.reaches(nic)
    errors(guest)
