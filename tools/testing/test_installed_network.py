# SPDX-License-Identifier: GPL-2.0
"""A machine with the packages whose network others configure than systemd-networkd."""

import pytest

from deb.packages import MODULES, NAME
from lab import host, machine
from lab.machine import wait_for
from support.installed import RUST, C, booted, driver_of, fresh_root, has_address, has_again, has_route, state
from support.kernels import stock_only, whole_only
from support.login import Login

pytestmark = [stock_only("packages are made for the stock kernel"), whole_only("each test boots a machine of its own")]

MAC = "52:54:00:99:00:01"
ADDRESS, HOST = "192.0.2.2", "192.0.2.1"
SEED = {
    "meta-data": "instance-id: lab\nlocal-hostname: seeded\n",
    "network-config": f"""
version: 2
ethernets:
  first:
    match: {{macaddress: "{MAC}"}}
    set-name: lan0
    addresses: [{ADDRESS}/24]
    routes: [{{to: 0.0.0.0/0, via: {HOST}}}]
""",
}
# The disk has no room to grow.
USER_DATA = "#cloud-config\ndisable_root: false\ngrowpart: {mode: 'off'}\nresize_rootfs: false\n"


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


def test_cloud_init(boot, installed, tmp_path):
    """From a disk as that of a cloud (NoCloud): the name, the address and who may log in, through the NIC that it has set up."""
    machine.install(installed, *machine.more("cloud-init"))
    login = Login(tmp_path)
    seed = tmp_path / "seed"
    seed.mkdir()
    for name, text in SEED.items():
        (seed / name).write_text(text)
    (seed / "user-data").write_text(f"{USER_DATA}ssh_authorized_keys: [{login.public.strip()}]\n")
    drive = ["-drive", f"driver=vvfat,dir={seed},label=cidata,read-only=on,if=none,id=seed", "-device", "virtio-blk-pci,drive=seed"]
    disk = machine.make_disk(installed, installed.parent / "disk")
    with booted(boot, disk, nics=[{"mac": MAC}], extra=drive) as guest:
        nic = guest.nics[0]
        host.run("ip", "address", "add", f"{HOST}/24", "dev", nic.tap)
        assert guest.run("cloud-init status --wait", timeout=600, check=False).rc == 0
        assert login.run(ADDRESS, "hostname").strip() == "seeded"
        wanted = handed_over(guest, nic, lambda command: login.run(ADDRESS, command))
        assert guest.interface(nic) == "lan0" and wanted["addresses"] == [f"inet {ADDRESS}/24"]


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
        wait_for(lambda: f"{name}:connected\n" in guest.run("nmcli -t -f DEVICE,STATE device").stdout, "NetworkManager has not got it", 60)
