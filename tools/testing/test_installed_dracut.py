# SPDX-License-Identifier: GPL-2.0
"""A machine whose initial ram disk is made by dracut, in the place of initramfs-tools."""

import pytest

from deb.packages import MODULES, NAME
from lab import host, machine
from lab.paths import RELEASE
from support.installed import CONF, RUST, C, booted, driver_of, has_address
from support.kernels import stock_only, whole_only

pytestmark = [stock_only("packages are made for the stock kernel"), whole_only("it boots a machine, and makes three initial ram disks")]

IMAGE = f"/boot/initrd.img-{RELEASE}"
ADDRESS, PLACE, MAC = "0x10", "0000:00:10.0", "52:54:00:99:00:03"
# A module of dracut's that notes which driver each NIC has when all else that the initial ram disk does is done.
LOOKS = """
check() { return 0; }
install() { inst_hook pre-pivot 99 "$moddir/look.sh"; }
"""
SEEN = "/run/seen"
LOOK = f"""
udevadm settle
for nic in /sys/class/net/[!l]*; do
	read -r address <$nic/address
	driver=$(readlink $nic/device/driver)
	echo "$address ${{driver##*/}}"
done >{SEEN}
"""


@pytest.fixture(scope="module")
def said(root, packages):
    """What is said as they are installed on a machine that has dracut."""
    return machine.install(root, *machine.more("dracut"), packages[NAME], packages[MODULES])


def has_module(root, said):
    """Whether the initial ram disk has it, which was made once, at the end of what apt did."""
    assert [said.count(text) for text in ("dracut: Generating ", "dracut[I]: Executing")] == [1, 0]
    return RUST in machine.run_in(root, "lsinitrd", IMAGE).stdout


def test_made_once(root, said):
    assert has_module(root, said)


@pytest.fixture
def disk(root, said):
    """With settings that somebody has made."""
    place = root / "usr/lib/dracut/modules.d/99look"
    place.mkdir()
    (place / "module-setup.sh").write_text(LOOKS)
    (place / "look.sh").write_text(LOOK)
    for script in place.iterdir():
        script.chmod(0o755)
    (root / CONF.lstrip("/")).write_text(f"{PLACE} {MAC}\n")
    machine.run_in(root, "dracut", "--force", IMAGE, RELEASE)
    return machine.make_disk(root, root.parent / "disk")


def test_from_the_initramfs_on(boot, disk):
    """Of three NICs the driver has one by its place, and one by its address."""
    with booted(boot, disk, nics=[{}, {"addr": ADDRESS}, {"mac": MAC}]) as guest:
        wanted = dict(zip((nic.mac for nic in guest.nics), (C, RUST, RUST)))
        assert dict(line.split() for line in guest.read(SEEN).splitlines()) == wanted
        assert {nic.mac: driver_of(guest, nic) for nic in guest.nics} == wanted
        has_address(guest, guest.nics[0])
        host.run("ping", "-c", "1", guest.nics[0].guest4)


def test_without_the_module(root, said):
    assert not has_module(root, machine.run_in(root, "apt-get", "purge", "--yes", MODULES).stdout)
