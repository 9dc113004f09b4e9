# SPDX-License-Identifier: GPL-2.0
"""Machines with the packages that boot otherwise than from a disk by a BIOS."""

import pytest

from deb.packages import MODULES, NAME
from lab import accel, host, machine
from support.installed import RUST, C, booted, choose_anew, driver_of, has_address, place_of, udev_names
from support.kernels import stock_only, whole_only

pytestmark = [stock_only("packages are made for the stock kernel"), whole_only("each test boots a machine of its own")]


@pytest.fixture(scope="module")
def installed(root, packages):
    machine.install(root, packages[NAME], packages[MODULES])
    return root


@pytest.fixture(scope="module")
def disk(installed):
    return machine.make_disk(installed, installed.parent / "disk")


def test_mmio(boot, installed, disk):
    """Without a PCI bus: udev knows no other name than the kernel's, with either driver, and the settings have a NIC by its device."""
    options = {"machine": "microvm", "root_ports": 0, "kernel": machine.direct(installed, accel.clock_for_microvm())}
    with booted(boot, disk, nics=[{}, {}], **options) as guest:
        has_address(guest, guest.nics[0])
        host.run("ping", "-c", "1", guest.nics[0].guest4)

        def found():
            names = [guest.interface(nic) for nic in guest.nics]
            return [driver_of(guest, nic) for nic in guest.nics], names, [udev_names(guest, name) for name in names]

        drivers, *names = found()
        assert drivers == [RUST, RUST] and names[0] == ["eth0", "eth1"]
        for text, wanted in ("none", [C, C]), (place_of(guest, guest.nics[1]), [C, RUST]), ("all", [RUST, RUST]):
            choose_anew(guest, text)
            assert found() == (wanted, *names)
