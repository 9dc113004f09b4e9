# SPDX-License-Identifier: GPL-2.0
"""The package for DKMS, in a root that has compilers, headers and the kernel's source."""

import subprocess

import pytest

from deb.packages import NAME, Version
from lab import unpacked
from lab.paths import RELEASE
from support.kernels import stock_only, whole_only

pytestmark = stock_only("packages are made for the stock kernel")

NUMBER = Version.newest().number
SERIES = ".".join(RELEASE.split(".")[:2])
SOURCE = f"/usr/src/{NAME}-{NUMBER}"
# What the packages of a real system have done, and the lab's layer of unpacked ones has not.
UNPACKED = f"""
for package in "$@"; do dpkg-deb --extract $package /; done
mkdir -p /var/lib/dkms /var/cache
tree=/var/cache/virtio-net-rust
"""
# What is taken away from the root, and what is said then.
MISSING = {
    "headers": (f"rm /lib/modules/{RELEASE}/build", f"its headers are missing (apt install linux-headers-{RELEASE})"),
    "source": ("rm /usr/src/linux-source-*", f"its source is missing (apt install linux-source-{SERIES})"),
    "rust": ("sed -i '/CONFIG_RUST=/d' $(readlink -f /lib/modules/*/build)/.config", "it was made without Rust"),
    "rustc": ("rm /usr/bin/rustc", "here is no rustc (apt install rustc)"),
    "compiler": ("rm /usr/bin/x86_64-linux-gnu-gcc-14", "its compiler is missing (apt install gcc-14)"),
}
FAILED = f"""
{MISSING["source"][0]}
dpkg-deb --control "$2" /tmp/control
status=0
/tmp/control/postinst configure || status=$?
echo status $status
find /lib/modules -name 'virtio_net_rust.ko*'
"""
BUILT = f"""
dkms add {NAME}/{NUMBER}
dkms install {NAME}/{NUMBER} -k {RELEASE}
modinfo -k {RELEASE} -F version virtio_net_rust
modinfo -k {RELEASE} -F signer virtio_net_rust
ls $tree
dkms remove {NAME}/{NUMBER} --all
modinfo -k {RELEASE} -F version virtio_net_rust && exit 1
{SOURCE}/kernel-tree {RELEASE}
"""


def run(packages, script, limit):
    command = ["sh", "-ec", UNPACKED + script, "sh", packages[NAME], packages[f"{NAME}-dkms"]]
    return subprocess.run(unpacked.command("deb", *command), capture_output=True, text=True, timeout=limit)


@pytest.mark.parametrize("what", MISSING)
def test_cannot_be(packages, what):
    """One line says why."""
    remove, said = MISSING[what]
    done = run(packages, f"{remove}\nexec {SOURCE}/kernel-tree {RELEASE}", 60)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"virtio-net-rust: error: nothing can be built for the kernel {RELEASE}: ") and said in line


def test_fails_to_install(packages):
    """What dpkg does when it has unpacked the package, where the source is missing: it says why, and there is no module."""
    done = run(packages, FAILED, 60)
    assert done.returncode == 0, done.stderr
    [line] = done.stderr.splitlines()
    assert MISSING["source"][1] in line
    assert done.stdout.splitlines()[-1] == "status 1"


@whole_only("making the kernel's metadata takes five minutes of two processors")
def test_build(packages):
    """From the source to the module in its place, signed with the key of DKMS, which goes again; the kernel's tree stays."""
    done = run(packages, BUILT, 1800)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert NUMBER in lines and RELEASE in lines and "DKMS module signing key" in lines
    assert lines[-1] == f"virtio-net-rust: the tree of the kernel {RELEASE} is there"
