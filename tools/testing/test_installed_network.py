# SPDX-License-Identifier: GPL-2.0
"""A machine with the packages whose network others configure than systemd-networkd."""

import pytest

from deb.packages import MODULES, NAME
from lab import machine
from support.installed import RUST, C, booted, driver_of, fresh_root, has_address, has_again, has_route, state
from support.kernels import stock_only, whole_only

pytestmark = [stock_only("packages are made for the stock kernel"), whole_only("each test boots a machine of its own")]


@pytest.fixture
def installed(packages):
    with fresh_root() as root:
        machine.install(root, packages[NAME], packages[MODULES])
        machine.run_in(root, "systemctl", "--quiet", "disable", "systemd-networkd")
        yield root


def handed_over(guest, nic, use):
    """Both ways, with all that it has."""
    name = guest.interface(nic)
    wanted = state(guest, name)
    assert driver_of(guest, nic) == RUST and wanted["addresses"] and wanted["routes"]
    for driver, word in (C, "c"), (RUST, "rust"):
        use(f"virtio-net-rust use {word}")
        assert driver_of(guest, nic) == driver
        assert guest.interface(nic) == name
        has_again(guest, name, wanted)
    return wanted


def test_network_manager(boot, installed):
    """By DHCP, as it does without being told."""
    machine.install(installed, *machine.more("network-manager"))
    disk = machine.make_disk(installed, installed.parent / "disk")
    with booted(boot, disk, nics=[{}]) as guest:
        nic = guest.nics[0]
        has_address(guest, nic)
        name = guest.interface(nic)
        has_route(guest, name)
        guest.run(f"ip address add 198.18.0.1/24 dev {name}; ip route add 198.18.1.0/24 via 198.18.0.2 metric 7")
        handed_over(guest, nic, lambda command: guest.run(command, timeout=120))
