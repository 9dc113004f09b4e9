# SPDX-License-Identifier: GPL-2.0
"""Machines with the packages: which driver has which NIC, and what that depends on."""

import os
import re
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

from lab import machine, unpacked
from lab.machine import TIMEOUT, Machine, dhcp, wait_for
from lab.paths import LINUX, LOGS

RUST, C = "virtio_net_rust", "virtio_net"
CONF = "/etc/virtio-net-rust.conf"
# Where `use` notes what it has decided.
DECIDED = "/run/virtio-net-rust"


def files(root):
    """All that a root has, but what programs note for themselves."""
    found = set()
    for folder, folders, names in os.walk(root):
        folder = folder.removeprefix(str(root)) or "/"
        if folder in ("/var/lib/dpkg", "/var/lib/apt", "/var/log", "/var/cache", "/tmp", "/run"):
            folders.clear()
        else:
            found |= {os.path.join(folder, name) for name in folders + names}
    return found


@contextmanager
def fresh_root():
    """A machine's root without the packages; not in memory, as /tmp is."""
    with tempfile.TemporaryDirectory(dir=LOGS) as folder:
        yield machine.unpack(Path(folder))


def signed(module, folder):
    """A module with the signature that DKMS gives it, and the key, which no firmware knows."""
    sign = f"{LINUX}/scripts/sign-file sha256 /var/lib/dkms/mok.key /var/lib/dkms/mok.pub $0 $1/signed.ko"
    script = f"dkms generate_mok && {sign} && cp /var/lib/dkms/mok.pub $1"
    done = subprocess.run(unpacked.command("deb", "sh", "-ec", script, module, folder), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "signed.ko", folder / "mok.pub"


@contextmanager
def booted(boot, disk, **options):
    with boot(kind=Machine, disk=disk, **{"root_ports": 1} | options) as guest, dhcp(guest.nics[0]):
        yield guest


def driver_of(guest, nic):
    [path] = guest.ask("link", f"/sys/class/net/{guest.interface(nic)}/device/driver")
    return os.path.basename(path.decode())


def holders(guest):
    """The names of all interfaces of Ethernet, each with who has it."""
    script = "for nic in /sys/class/net/[!l]*; do echo ${nic##*/} $(ethtool -i ${nic##*/} | sed -n 's/^driver: //p'); done"
    return {tuple(line.split()) for line in guest.run(script).stdout.splitlines()}


def restart(guest, command):
    """Has the machine start again, which is for it to go: QEMU is told not to do that."""
    guest.spawn(command)
    guest.process.wait(TIMEOUT)


def place_of(guest, nic):
    """What its device is on the PCI bus."""
    return guest.run(["readlink", "-f", f"/sys/class/net/{guest.interface(nic)}/device"]).stdout.split("/")[-2]


def has_address(guest, nic):
    wait_for(lambda: f" {nic.guest4}/24 " in guest.run(["ip", "-4", "address"]).stdout, f"no address from DHCP: {nic.guest4}")


def settings(guest, text):
    guest.put(CONF, f"{text}\n")


def choose_anew(guest, text):
    """Has settings, as when the devices come; what was decided by hand is forgotten."""
    settings(guest, text)
    trigger = "udevadm trigger --action=add --subsystem-match=virtio --settle"
    guest.run(f"rm -f {DECIDED}/virtio*; {trigger}; udevadm settle")


def state(guest, name):
    """What an interface has, as far as it does not depend on the time."""
    link = guest.run(["ip", "-o", "link", "show", "dev", name]).stdout
    addresses = guest.run(["ip", "-o", "address", "show", "dev", name]).stdout
    routes = guest.run(f"ip route show dev {name}; ip -6 route show dev {name} | sed /^fe80/d").stdout
    return {
        "mtu": re.search(r"mtu \d+", link)[0],
        "address": re.search(r"link/ether \S+", link)[0],
        "up": "UP" in link,
        "addresses": sorted(re.findall(r"inet6? (?!fe80)\S+", addresses)),
        "routes": sorted(re.sub(r" expires \d+sec| pref \w+", "", line).strip() for line in routes.splitlines()),
    }


def has_route(guest, name):
    wait_for(lambda: any("default" in route for route in state(guest, name)["routes"]), f"{name} has no default route")


def has_again(guest, name, wanted, seen=state):
    """It gets what it had: who configures the network may be at it for a while."""
    with suppress(AssertionError):
        wait_for(lambda: seen(guest, name) == wanted, "", 60)
    assert (found := seen(guest, name)) == wanted, f"{name} has {found} and not {wanted}"


def state_of_dhcpcd(guest, name):
    """The same, where dhcpcd gives it: the metric of a route is 1000 and the interface's number, which is another one each time."""
    found, index = state(guest, name), int(guest.read(f"/sys/class/net/{name}/ifindex"))
    return found | {"routes": [route.replace(f" metric {1000 + index}", " metric") for route in found["routes"]]}


def udev_names(guest, name):
    """The names that udev has for it, of which a rule may choose another one than the usual."""
    said = guest.run(["udevadm", "info", "--query=property", f"/sys/class/net/{name}"]).stdout
    return {line for line in said.splitlines() if line.startswith(("ID_NET_NAME", "ID_PATH", "INTERFACE="))}


@contextmanager
def plugged(guest, nic):
    guest.plug(nic)
    guest.interface(nic)
    guest.run("udevadm settle")
    try:
        yield
    finally:
        guest.unplug(nic)
