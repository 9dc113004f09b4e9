# SPDX-License-Identifier: GPL-2.0
"""Machines with the packages that boot otherwise than from a disk by a BIOS."""

import hashlib
import socket
import subprocess
from pathlib import Path

import pytest

from deb.packages import MODULES, NAME
from lab import accel, host, machine
from lab.machine import TIMEOUT
from lab.paths import RELEASE
from support import kexec
from support.installed import RUST, C, booted, choose_anew, driver_of, has_address, place_of, signed, udev_names
from support.kernels import stock_only, whole_only

pytestmark = [stock_only("packages are made for the stock kernel"), whole_only("each test boots a machine of its own")]

MODULE = f"usr/lib/modules/{RELEASE}/updates/{RUST}.ko"
SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
KEXEC = Path(kexec.__file__)
# What a kernel has that is started by a panic, and how much of the other's memory it sends.
RESERVED, SENT = "384M", 32 << 20
SEND = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as connection, open("/proc/vmcore", "rb") as file:
    connection.sendall(file.read(int(sys.argv[3])))
"""


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


def test_secure_boot(boot, installed, disk, tmp_path):
    """The firmware starts what Debian has signed, and the kernel loads modules that are signed with a key that it knows: C has the NIC
    until ours is."""
    module, key = signed(installed / MODULE, tmp_path)
    with booted(boot, disk, nics=[{}], **machine.secure_boot(tmp_path, key)) as guest:
        nic = guest.nics[0]
        has_address(guest, nic)
        host.run("ping", "-c", "1", nic.guest4)
        enabled, lockdown = guest.run(["od", "-An", "-tu1", SECURE_BOOT]).stdout, guest.run("cat /sys/kernel/security/lockdown").stdout
        taker, log = driver_of(guest, nic), guest.run("dmesg").stdout
        refused = guest.run("virtio-net-rust use rust", check=False)
        guest.put(f"/{MODULE}", module.read_bytes())
        taken = guest.run("virtio-net-rust use rust", check=False, timeout=120)
        # The first four bytes are the variable's attributes.
        assert enabled.split()[4:] == ["1"] and "[integrity]" in lockdown
        assert taker == C and f"{RUST} does not take it, and {C} is to" in log
        assert "Loading of unsigned module is rejected" in log
        assert refused.rc == 1 and f"{RUST} does not load, and {guest.interface(nic)} stays with {C}" in refused.stderr
        assert taken.rc == 0 and driver_of(guest, nic) == RUST
        has_address(guest, nic)
        host.run("ping", "-c", "1", nic.guest4)


def test_crash(boot, installed, disk):
    """A kernel that is started by a panic, under traffic, has the NIC with the driver, and sends through it what the other one has left."""
    options = {"files": [KEXEC], "kernel": machine.direct(installed, f"crashkernel={RESERVED}")}
    with booted(boot, disk, nics=[{"queues": 2}], **options) as guest:
        nic = guest.nics[0]
        has_address(guest, nic)
        words = [word for word in guest.read("/proc/cmdline").split() if not word.startswith("crashkernel=")]
        files = [f"/boot/vmlinuz-{RELEASE}", f"/boot/initrd.img-{RELEASE}", " ".join([*words, "nr_cpus=1 reset_devices"])]
        guest.run(["python3", f"/payload/{KEXEC.name}", "panic", *files])
        guest.spawn(["ping", "-n", "-q", "-i", "0.002", nic.host4])
        process = subprocess.Popen(["ping", "-n", "-q", "-i", "0.002", nic.guest4], stdout=subprocess.DEVNULL)
        try:
            guest.spawn("echo c >/proc/sysrq-trigger")
            guest.agent.hello(TIMEOUT)
            has_address(guest, nic)
        finally:
            process.kill()
            process.wait()
        assert driver_of(guest, nic) == RUST and guest.run("nproc").stdout == "1\n"
        with socket.create_server((nic.host4, 0)) as server:
            with guest.spawn(["python3", "-c", SEND, nic.host4, server.getsockname()[1], SENT]):
                connection = server.accept()[0]
                connection.settimeout(60)
                received = connection.makefile("rb").read()
        assert received[:4] == b"\x7fELF" and len(received) == SENT
        assert hashlib.sha256(received).hexdigest() in guest.run(f"head -c {SENT} /proc/vmcore | sha256sum").stdout
