# SPDX-License-Identifier: GPL-2.0
"""Machines whose root file system comes over the network: the driver carries it, from the initial ram disk on, and nobody takes the NIC
from it."""

import pytest

from deb.packages import MODULES, NAME
from lab import host, machine
from lab.machine import wait_for
from lab.nic import Nic
from support import remote
from support.installed import CONF, RUST, booted, driver_of
from support.kernels import stock_only, whole_only

pytestmark = [stock_only("packages are made for the stock kernel"), whole_only("each test boots a machine of its own")]


@pytest.fixture(scope="module")
def installed(root, packages):
    """With other settings than its initial ram disk has."""
    machine.install(root, packages[NAME], packages[MODULES], *machine.more("nbd-client"), *machine.more("open-iscsi"))
    (root / CONF.lstrip("/")).write_text("none\n")
    return root


@pytest.fixture
def disk(installed):
    return machine.make_disk(installed, installed.parent / "disk")


def carries_root(boot, root, nic, source, *words):
    """Boots from what is served, without a disk."""
    address = f"ip={nic.guest4}::{nic.host4}:255.255.255.0:::off"
    kernel = machine.direct(root, address, *words)
    with booted(boot, machine.NONE, nics=[nic], kernel=kernel) as guest:
        assert guest.run("findmnt -n -o SOURCE /").stdout == f"{source}\n"
        assert driver_of(guest, nic) == RUST
        kept = f"{RUST} keeps it, since the root file system comes over the network"
        wait_for(lambda: kept in guest.run("dmesg").stdout, "the settings of the disk were not looked at")
        name = guest.interface(nic)
        done = guest.run("virtio-net-rust use c", check=False)
        assert done.rc == 1 and f"the root file system comes over the network, and {name} stays with {RUST}" in done.stderr
        assert driver_of(guest, nic) == RUST
        # All of it comes through the NIC.
        guest.run("echo 3 >/proc/sys/vm/drop_caches; cat /usr/lib/x86_64-linux-gnu/*.so* | sha256sum", timeout=240)
        host.run("ping", "-c", "1", nic.guest4)


def test_nbd(boot, installed, disk):
    nic = Nic({}, "q35")
    with remote.nbd(disk):
        carries_root(boot, installed, nic, "/dev/nbd0p1", "root=/dev/nbd0p1", f"nbdroot={nic.host4},root,nbd0")


def test_iscsi(boot, installed, disk):
    """The first disk of SCSI that there is."""
    nic = Nic({}, "q35")
    words = [f"iscsi_initiator={remote.TARGET}:machine", f"iscsi_target_name={remote.TARGET}", f"iscsi_target_ip={nic.host4}"]
    with remote.iscsi(disk):
        carries_root(boot, installed, nic, "/dev/sda1", *words)


def test_nfs(boot, installed):
    """No disk is looked for, since none of its settings names one."""
    nic = Nic({}, "q35")
    (installed / "etc/fstab").write_text("")
    with remote.nfs(installed):
        carries_root(boot, installed, nic, f"{nic.host4}:{installed}", "root=/dev/nfs", "rw", f"nfsroot={nic.host4}:{installed}")
