# SPDX-License-Identifier: GPL-2.0
"""A machine with a second kernel: it boots that one, without the driver's module for it, and with."""

import subprocess
import sys

import pytest

from deb.packages import MODULES, NAME
from lab import host, machine
from lab.build import SOURCES
from lab.paths import CACHE, RELEASE, REPO
from support.installed import RUST, C, booted, driver_of, has_address
from support.kernels import stock_only, whole_only

pytestmark = [stock_only("packages are made for the stock kernel"), whole_only("it boots twice")]

PLACES = 'mount --bind "$1" /lab/entry; mount --bind "$1/linux" /lab/linux; shift; exec "$@"'
MAKE = "import sys; from pathlib import Path; from deb.packages import make; make(Path(sys.argv[1]))"


@pytest.fixture(scope="module")
def other(root):
    """The release of the second kernel, which is installed beside the one that the tests have."""
    packages = machine.more("kernel")
    if not packages:
        pytest.skip("Debian has no kernel of another series now")
    machine.install(root, *packages)
    [release] = {path.name.removeprefix("vmlinuz-") for path in (root / "boot").glob("vmlinuz-*")} - {RELEASE}
    return release


@pytest.fixture(scope="module")
def installed(root, other, packages):
    machine.install(root, packages[NAME], packages[MODULES])
    grub = root / "boot/grub/grub.cfg"
    grub.write_text(grub.read_text().replace(RELEASE, other))


def runs(guest, release):
    has_address(guest, guest.nics[0])
    host.run("ping", "-c", "1", guest.nics[0].guest4)
    assert guest.run("uname -r").stdout.strip() == release


def test_without_its_module(boot, root, other, installed):
    """As where DKMS could not build it."""
    with booted(boot, machine.make_disk(root, root.parent / "without"), nics=[{}]) as guest:
        runs(guest, other)
        assert driver_of(guest, guest.nics[0]) == C
        # C has it from the initial ram disk, which does not wait until all has been said.
        said = f"this kernel has no module {RUST}, and {C} takes it"
        machine.wait_for(lambda: said in guest.run("dmesg").stdout, "nothing is said of the module")
        done = guest.run(["virtio-net-rust", "use", "rust"], check=False)
        assert done.rc == 1 and f"the kernel {other} has no module {RUST}" in done.stderr
        assert driver_of(guest, guest.nics[0]) == C


@pytest.fixture(scope="module")
def other_module(other, packages, tmp_path_factory):
    """The package with the module for it, made in the lab of that kernel, if that has been set up."""
    entries = [path.parent for path in CACHE.glob(f"*-{other}/linux")]
    if not entries:
        pytest.skip(f"needs the lab of {other}: KERNEL_SERIES={'.'.join(other.split('.')[:2])} make setup")
    folder = tmp_path_factory.mktemp("other")
    sources = folder / "sources"
    for name in SOURCES:
        (sources / name).parent.mkdir(parents=True, exist_ok=True)
        host.run("cp", "-r", REPO / name, sources / name)
    command = ["unshare", "--mount", "sh", "-ec", PLACES, "sh", entries[0], "env", f"SOURCES={sources}", sys.executable, "-c", MAKE]
    done = subprocess.run([*command, folder], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return folder / packages[MODULES].name.replace(RELEASE, other)


def test_with_its_module(boot, root, other, installed, other_module):
    """Both kernels have one."""
    machine.install(root, other_module)
    assert all([file for file in machine.initrd(root, release) if RUST in file] for release in (RELEASE, other))
    with booted(boot, machine.make_disk(root, root.parent / "with"), nics=[{}]) as guest:
        runs(guest, other)
        assert driver_of(guest, guest.nics[0]) == RUST
