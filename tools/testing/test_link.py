# SPDX-License-Identifier: GPL-2.0
"""The link goes down and comes back, as the device says, and is as fast as it says."""

import re

import pytest

from lab import driver as drivers
from lab.agent import PYTHON
from support import binding, exchange
from support.kernel_log import no_errors  # noqa: F401
from support.nics import LEGACY, NO_CONTROL_QUEUE

UNKNOWN = "Unknown!", "Unknown! (255)"
KNOWN = "2500Mb/s", "Full"
# The NICs, with what is shown of each. One that says how fast it is may leave out either half.
NICS, SHOWN = zip(
    ({}, UNKNOWN),
    ({"status": "off"}, UNKNOWN),
    (LEGACY, UNKNOWN),
    ({"speed": "2500", "duplex": "full"}, KNOWN),
    ({"speed": "10000", "status": "off"}, ("10000Mb/s", UNKNOWN[1])),
    ({"duplex": "half"}, (UNKNOWN[0], "Half")),
    (NO_CONTROL_QUEUE, UNKNOWN),
)
# Sets an interface down and up so many times, and prints each time whether the first that the stack says of it then has the
# carrier. It says that with the rtnl lock held under which the driver has opened the interface.
AT_ONCE = """
import fcntl, socket, struct, sys
name, count = sys.argv[1].encode(), int(sys.argv[2])
index = socket.if_nametoindex(name)
RTM_NEWLINK, SIOCSIFFLAGS, IFF_UP, IFF_LOWER_UP = 16, 0x8914, 1, 1 << 16
for _ in range(count):
    fcntl.ioctl(socket.socket(), SIOCSIFFLAGS, struct.pack("16sH22x", name, 0))
    said = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    said.bind((0, 1))  # RTMGRP_LINK
    fcntl.ioctl(socket.socket(), SIOCSIFFLAGS, struct.pack("16sH22x", name, IFF_UP))
    kind = which = flags = 0
    while (kind, which, flags & IFF_UP) != (RTM_NEWLINK, index, IFF_UP):
        kind, which, flags = struct.unpack_from("=4xH14xiI", said.recv(1 << 16))
    print(flags & IFF_LOWER_UP != 0)
"""


@pytest.fixture(scope="module")
def guest(boot, driver):
    with boot(nics=NICS, files=[exchange.PEER]) as guest:
        driver.load(guest)
        for nic in guest.nics:
            guest.bring_up(nic)
        with exchange.peer_in(guest):
            yield guest


def carrier(guest, name):
    return guest.read(f"/sys/class/net/{name}/carrier").strip()


@pytest.mark.parametrize("number", [0, 2], ids=["modern", "legacy"])
def test_carrier_follows_the_device(guest, number):
    nic = guest.nics[number]
    name = guest.interface(nic)
    for _ in range(5):
        guest.set_link(nic, False)
        guest.wait_for_carrier(name, False)
        # Other NICs go on.
        exchange.ping(guest.run, guest.nics[1].host4)
        guest.set_link(nic, True)
        guest.wait_for_carrier(name, True)
        exchange.ping(guest.run, nic.host4)
    exchange.everything(guest, nic)


def test_carrier_after_another_driver(guest, driver):
    """One that had the device before may have turned off the news of its configuration."""
    if driver is drivers.C:
        pytest.skip("the driver under test is the C driver itself")
    nic = guest.nics[0]
    device = guest.virtio_device(nic)
    binding.hand_over(guest, [device], driver, drivers.C)
    name = guest.bring_up(nic)
    guest.wait_for_carrier(name, True)
    binding.unbind(guest, drivers.C, device)
    binding.bind(guest, driver, device)
    drivers.C.unload(guest)
    name = guest.bring_up(nic)
    for up in (False, True):
        guest.set_link(nic, up)
        guest.wait_for_carrier(name, up)
    exchange.everything(guest, nic)


def test_link_goes_and_comes_under_traffic(guest):
    nic = guest.nics[0]
    name = guest.interface(nic)
    with exchange.peer_on_host(), exchange.flooded(guest, nic):
        for _ in range(10):
            guest.set_link(nic, False)
            guest.wait_for_carrier(name, False)
            guest.set_link(nic, True)
            guest.wait_for_carrier(name, True)
    exchange.everything(guest, nic)


def test_link_that_changes_while_the_interface_is_down(guest):
    nic = guest.nics[0]
    name = guest.interface(nic)
    for up in (False, True):
        guest.run(["ip", "link", "set", name, "down"])
        guest.set_link(nic, up)
        guest.run(["ip", "link", "set", name, "up"])
        guest.wait_for_carrier(name, up)
    guest.run(["ip", "address", "replace", f"{nic.guest6}/64", "dev", name, "nodad"])
    exchange.everything(guest, nic)


@pytest.mark.parametrize("number", range(len(NICS)))
def test_carrier_is_there_at_once(guest, number):
    """Whoever sets the interface up need not wait for it."""
    name = guest.interface(guest.nics[number])
    guest.put("/tmp/at_once.py", AT_ONCE)
    found = guest.run([*PYTHON, "/tmp/at_once.py", name, 3]).stdout.split()
    assert found == ["True"] * 3
    guest.run(["ip", "address", "replace", f"{guest.nics[number].guest6}/64", "dev", name, "nodad"])


def test_device_without_link_state(guest):
    nic = guest.nics[1]
    name = guest.interface(nic)
    assert carrier(guest, name) == "1"
    guest.set_link(nic, False)
    assert carrier(guest, name) == "1"
    guest.set_link(nic, True)
    exchange.everything(guest, nic)


# --- Speed ------------------------------------------------------------------------


def speed(guest, name):
    """As ethtool shows it."""
    text = guest.run(["ethtool", name]).stdout
    return tuple(re.search(rf"{what}: (.*)", text)[1] for what in ("Speed", "Duplex", "Port"))


def interface_up(guest, number):
    name = guest.interface(guest.nics[number])
    guest.wait_for_carrier(name, True)
    return name


@pytest.mark.parametrize("number, shown", list(enumerate(SHOWN)))
def test_speed_is_what_the_device_says(guest, number, shown):
    assert speed(guest, interface_up(guest, number)) == (*shown, "Other")


def test_speed_can_be_set(guest):
    """It is shown until the device has something to say about it."""
    quiet, known = interface_up(guest, 0), interface_up(guest, SHOWN.index(KNOWN))
    for name in quiet, known:
        guest.run(["ethtool", "-s", name, "speed", 100, "duplex", "half", "autoneg", "off"])
        assert speed(guest, name)[:2] == ("100Mb/s", "Half")
        guest.run(f"ip link set {name} down && ip link set {name} up")
        guest.wait_for_carrier(name, True)
        assert speed(guest, name)[:2] == ("100Mb/s", "Half")
    for name, number, shown in (quiet, 0, ("100Mb/s", "Half")), (known, SHOWN.index(KNOWN), KNOWN):
        guest.set_link(guest.nics[number], False)
        guest.wait_for_carrier(name, False)
        guest.set_link(guest.nics[number], True)
        guest.wait_for_carrier(name, True)
        assert speed(guest, name)[:2] == shown


# Of the interface's settings those that a virtual link has not, and values that cannot be.
REFUSED = ["port tp", "phyad 1", "autoneg on", "mdix on", "speed 2147483648"]


@pytest.mark.parametrize("what", REFUSED)
def test_refused_settings(guest, what):
    name = interface_up(guest, 1)
    before = speed(guest, name)
    done = guest.run(f"ethtool -s {name} {what}", check=False)
    assert done.rc != 0, done
    assert speed(guest, name) == before


def test_bond_of_links_without_a_speed(guest):
    """A member whose speed is not known counts as down where that matters (802.3ad), until it is set."""
    name = interface_up(guest, 2)
    status = f"sed -n '/^Slave Interface: {name}$/{{n;p}}' /proc/net/bonding/bond7"
    guest.run(
        "modprobe bonding max_bonds=0 && ip link add bond7 type bond mode 802.3ad miimon 100\n"
        f"ip link set {name} down && ip link set {name} master bond7 && ip link set bond7 up"
    )
    try:
        # Ten times as long as it takes the bond to look.
        guest.run("sleep 1")
        assert guest.run(status).stdout == "MII Status: down\n"
        guest.run(["ethtool", "-s", name, "speed", 1000, "duplex", "full"])
        guest.run(f"until {status} | grep -q up; do sleep 0.1; done")
    finally:
        guest.run("ip link delete bond7")
    # The TAP does not speak LACP.
    assert all("No 802.3ad response" in line for line in guest.new_kernel_reports())
