# SPDX-License-Identifier: GPL-2.0
"""The packages that `make deb` makes, without a machine to install them on."""

import re
import subprocess

import pytest

from deb.packages import FOLDER, MODULES, NAME, SOURCE, Version
from lab import host, unpacked
from lab.paths import LINUX, RELEASE, REPO
from support.kernels import stock_only

pytestmark = stock_only("packages are made for the stock kernel")

COMMON, DKMS = NAME, f"{NAME}-dkms"
MODULE = f"usr/lib/modules/{RELEASE}/updates/virtio_net_rust.ko"
# Some of what each has, from what it is for.
CONTENTS = {
    COMMON: [
        "etc/virtio-net-rust.conf",
        "usr/lib/modprobe.d/virtio-net-rust.conf",
        "usr/lib/udev/rules.d/79-virtio-net-rust.rules",
        "usr/libexec/virtio-net-rust/choose",
        "usr/sbin/virtio-net-rust",
        "usr/share/initramfs-tools/hooks/virtio-net-rust",
        "usr/lib/dracut/modules.d/90virtio-net-rust/module-setup.sh",
        "usr/share/man/man8/virtio-net-rust.8.gz",
    ],
    MODULES: [MODULE],
    DKMS: [f"usr/src/virtio-net-rust-{Version.newest().number}/{file}" for file in ("dkms.conf", "Kbuild", "kernel-tree")],
}


@pytest.fixture(scope="module")
def trees(packages, tmp_path_factory):
    """What each package has, unpacked."""
    found = {}
    for name, package in packages.items():
        found[name] = tmp_path_factory.mktemp(name)
        host.run("dpkg-deb", "--extract", package, found[name])
    return found


def field(package, name):
    return host.run("dpkg-deb", "--field", package, name).stdout.strip()


def test_three_packages(packages, trees):
    assert {name: field(package, "Architecture") for name, package in packages.items()} == {
        COMMON: "all",
        DKMS: "all",
        MODULES: "amd64",
    }
    for name, files in CONTENTS.items():
        assert [file for file in files if not (trees[name] / file).exists()] == []


def test_lintian(packages):
    command = ["lintian", "--allow-root", "--display-info", "--pedantic", "--fail-on", "none", *packages.values()]
    done = subprocess.run(unpacked.command("deb", *command), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_one_version(packages, trees):
    number = re.search(r"^## (\S+)", (REPO / "CHANGELOG.md").read_text(), re.MULTILINE)[1]
    assert {field(package, "Version") for package in packages.values()} == {number}
    assert host.run("modinfo", "-F", "version", trees[MODULES] / MODULE).stdout.strip() == number
    assert f'PACKAGE_VERSION="{number}"' in (trees[DKMS] / CONTENTS[DKMS][0]).read_text()
    assert f"{NAME} {number}" in host.run("zcat", trees[COMMON] / "usr/share/man/man8/virtio-net-rust.8.gz").stdout


def test_module_is_that_of_the_kernel(trees):
    """It has no symbols for debuggers, and those for the kernel."""
    module = trees[MODULES] / MODULE
    assert host.run("modinfo", "-F", "vermagic", module).stdout.split()[0] == RELEASE
    sections = host.run("objdump", "--section-headers", module).stdout
    assert ".debug" not in sections and ".modinfo" in sections and "__versions" not in sections
    wanted = set(re.findall(r" U (\w+)", host.run("nm", module).stdout))
    exported = {line.split("\t")[1] for line in (LINUX / "Module.symvers").read_text().splitlines()}
    assert wanted <= exported


def test_shell():
    """All scripts of the packages, and those that are sourced."""
    scripts = [path for folder in ("files", "source") for path in (SOURCE / folder).rglob("*") if path.is_file()]
    scripts = [path for path in scripts if re.match(rb"#!.*sh\n|# SPDX.*\n# shellcheck shell", path.read_bytes())]
    assert len(scripts) == 9
    command = unpacked.command("deb", "sh", "-c", 'cd "$0" && shellcheck -x "$@"', SOURCE, *scripts)
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


# --- Which driver the settings have for a device -------------------------------

DEVICE = "virtio3"
DRIVERS = {
    "all": "virtio_net_rust",
    "none": "virtio_net",
    "": "virtio_net",
    "# all": "virtio_net",
    "none # not all": "virtio_net",
    "52:54:00:AB:cd:01": "virtio_net_rust",
    "52:54:00:ab:cd:02": "virtio_net",
    "52:54:00:ab:cd:02 52:54:00:ab:cd:01": "virtio_net_rust",
    "# the second\n\t52:54:00:ab:cd:01": "virtio_net_rust",
    "0000:00:0A.0": "virtio_net_rust",
    "00:0a.0": "virtio_net_rust",
    "00:0a.1": "virtio_net",
    "0001:00:0a.0": "virtio_net",
    "*": "virtio_net",
}


def asked(tmp_path, settings, address, function):
    """What a function of the packages' says of a device in a folder that looks like sysfs."""
    device = tmp_path / "devices" / "0000:00:0a.0" / DEVICE
    if not device.exists():
        (device / "net" / "eth0").mkdir(parents=True)
        (tmp_path / "bus" / "devices").mkdir(parents=True)
        (tmp_path / "bus" / "devices" / DEVICE).symlink_to(device)
    if address:
        (device / "net" / "eth0" / "address").write_text(f"{address}\n")
    (tmp_path / "conf").write_text(settings)
    library = SOURCE / "files/usr/share/virtio-net-rust/lib.sh"
    script = f". {library}; BUS={tmp_path}/bus; CONF={tmp_path}/conf; {function} {DEVICE}"
    return host.run("sh", "-c", script, check=False)


def test_settings(tmp_path):
    for settings, driver in DRIVERS.items():
        for end in "", "\n":
            assert asked(tmp_path, settings + end, "52:54:00:ab:cd:01", "wanted").stdout == f"{driver}\n", settings


def test_settings_of_a_device_without_address(tmp_path):
    """What is empty is no word."""
    for settings in "none", "", "52:54:00:ab:cd:01":
        assert asked(tmp_path, settings, None, "wanted").stdout == "virtio_net\n"
    assert asked(tmp_path, "all", None, "wanted").stdout == "virtio_net_rust\n"


def test_settings_by_address(tmp_path):
    assert asked(tmp_path, "all 0000:00:0a.0", None, "by_address").returncode != 0
    assert asked(tmp_path, "none\n52:54:00:AB:cd:01", None, "by_address").returncode == 0


def test_command_makes_them(packages):
    """What `make deb` prints are the names of files; the tests made the same elsewhere."""
    done = subprocess.run(["make", "-C", REPO, "deb"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    said = [line.split(",")[0] for line in done.stdout.splitlines() if line.startswith("build/")]
    assert sorted(REPO / line for line in said) == sorted(FOLDER / package.name for package in packages.values())
    assert all((REPO / line).exists() for line in said)
