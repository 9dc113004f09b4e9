# SPDX-License-Identifier: GPL-2.0
"""What the first screen of README.md has a user type, word for word, on a machine that runs and has never had the packages."""

import re

import pytest

from lab import host, machine
from lab.paths import REPO
from support.installed import RUST, C, booted, has_address, holders, restart
from support.kernels import stock_only, whole_only

pytestmark = [stock_only("packages are made for the stock kernel"), whole_only("it boots three times, and makes two initial ram disks")]

README = (REPO / "README.md").read_text()
INSTALL, REBOOT = re.search(r"^```sh\n(apt install .*)\n(.*)\n```$", README, re.MULTILINE).groups()
HAND_BACK, PURGE = re.search(r"`(virtio-net-rust use c)`", README)[1], re.search(r"`(apt purge '[^`]*')`", README)[1]
MAC, STANDBY = "52:54:00:99:00:01", "52:54:00:99:00:02"
# The second one asks for net_failover, which makes a third interface on top of it.
NICS = [{"mac": MAC}, {"mac": STANDBY, "failover": "on"}]
LIMIT = 900


@pytest.fixture(scope="module")
def disk(root):
    return machine.make_disk(root, root.parent / "disk")


def running(boot, disk, **options):
    return booted(boot, disk, keep=True, nics=[dict(nic) for nic in NICS], **options)


def test_readme(boot, disk, packages):
    with running(boot, disk, files=packages.values()) as guest:
        has_address(guest, guest.nics[0])
        before = holders(guest)
        assert {driver for _, driver in before} == {C, "net_failover"}
        guest.run(f"cd /payload && {INSTALL}", timeout=LIMIT)
        assert holders(guest) == before
        restart(guest, REBOOT)
    with running(boot, disk) as guest:
        has_address(guest, guest.nics[0])
        host.run("ping", "-c", "1", guest.nics[0].guest4)
        assert holders(guest) == {(name, {C: RUST}.get(driver, driver)) for name, driver in before}
        guest.run(HAND_BACK, timeout=LIMIT)
        assert holders(guest) == before
        guest.run("virtio-net-rust use rust", timeout=LIMIT)
        guest.run(PURGE, timeout=LIMIT, input=b"y\n")
        assert RUST in {driver for _, driver in holders(guest)}
        restart(guest, REBOOT)
    with running(boot, disk) as guest:
        has_address(guest, guest.nics[0])
        assert holders(guest) == before
        guest.run(f"! modinfo {RUST} && ! command -v virtio-net-rust")
