# SPDX-License-Identifier: GPL-2.0
"""The packages on a machine as a user has one: who drives which NIC from the boot on, handing over, and what is left when they go."""

import json
import re
import socket
from pathlib import Path

import pytest

from deb.packages import MODULES, NAME, Version
from lab import host, machine
from lab.machine import dhcp, wait_for
from lab.paths import RELEASE
from support import exchange
from support.installed import CONF, DECIDED, RUST, C, booted, choose_anew, driver_of, files, has_address, has_again
from support.installed import has_route, place_of, plugged, settings, signed, state, state_of_dhcpcd, udev_names
from support.kernels import stock_only, whole_only
from support.login import Login

pytestmark = stock_only("packages are made for the stock kernel")

MODULE = f"usr/lib/modules/{RELEASE}/updates/{RUST}.ko"
# What somebody has made of the file that comes with the package.
SETTINGS = "# Mine\nall\n"
ECHO = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as connection:
    while data := connection.recv(100):
        connection.sendall(data)
"""


@pytest.fixture(scope="module")
def before(root):
    return files(root)


@pytest.fixture(scope="module")
def disk(root, before, packages):
    """The disk of a machine on which they have been installed."""
    machine.install(root, packages[NAME], packages[MODULES])
    return machine.make_disk(root, root.parent / "disk")


@pytest.fixture(scope="module")
def guest(boot, disk):
    # The firmware has a number for the second one, after which it is named.
    nics = [{}, {"acpi-index": "7"}, {"bus": "port0", "plugged": False}]
    with booted(boot, disk, nics=nics, files=[exchange.PEER]) as guest:
        yield guest


def test_from_the_initramfs_on(guest):
    """Both NICs, with names by their place, and an address from DHCP."""
    nic = guest.nics[0]
    has_address(guest, nic)
    assert [driver_of(guest, nic) for nic in guest.nics[:2]] == [RUST, RUST]
    assert re.fullmatch(r"en[sp]\w+", guest.interface(nic)) and guest.interface(guest.nics[1]) == "eno7"
    log = guest.run(["dmesg"]).stdout
    assert log.index(f"{RUST}: loading out-of-tree module") < log.index("systemd[1]: ")
    guest.run(["ping", "-c", 1, nic.host4])
    rows = [line.split() for line in guest.run(["virtio-net-rust"]).stdout.splitlines()[1:]]
    wanted = [[guest.interface(nic), place_of(guest, nic), RUST, RUST] for nic in guest.nics[:2]]
    assert [[row[0], *row[2:]] for row in rows] == wanted


# --- Handing over ---------------------------------------------------------------


def test_hand_over(guest):
    """Both ways, with a connection that goes on."""
    nic = guest.nics[0]
    has_address(guest, nic)
    name = guest.interface(nic)
    guest.run(
        f"ip link set {name} mtu 1400; ip address add 192.0.2.1/24 dev {name}; ip address add {nic.guest6}/64 dev {name} nodad;"
        f"ip route add 198.51.100.0/24 via {nic.host4} metric 7; ip route add 203.0.113.7 dev {name};"
        f"ip route add 203.0.113.0/24 via 203.0.113.7 table 99; ip -6 route add 2001:db8:1::/48 via {nic.host6}"
    )
    wanted, names = state(guest, name), udev_names(guest, name)
    assert len(wanted["routes"]) >= 6 and len(wanted["addresses"]) == 3 and len(names) > 3
    with socket.create_server((nic.host4, 0)) as server:
        with guest.spawn(["python3", "-c", ECHO, nic.host4, server.getsockname()[1]]):
            connection = server.accept()[0]
            connection.settimeout(60)
            for driver, word in (C, "c"), (RUST, "rust"):
                assert f"{name}: {driver}" in guest.run(["virtio-net-rust", "use", word, name], timeout=120).stdout
                assert driver_of(guest, nic) == driver
                assert udev_names(guest, name) == names
                has_again(guest, name, wanted)
                assert "via 203.0.113.7" in guest.run("ip route show table 99").stdout
                connection.sendall(word.encode())
                assert connection.recv(100) == word.encode()
    # The other one has what it had.
    assert driver_of(guest, guest.nics[1]) == RUST


def test_login(guest, tmp_path):
    """All NICs are handed over by somebody who has logged in through one of them, and stays so."""
    login = Login(tmp_path)
    login.let_in(guest)
    has_address(guest, guest.nics[0])
    names = [guest.interface(nic) for nic in guest.nics[:2]]
    guest.run(f"ip address add 198.18.0.1/24 dev {names[1]}; ip route add 198.18.1.0/24 via 198.18.0.2 metric 7")
    wanted = [(state(guest, name), udev_names(guest, name)) for name in names]
    for driver, word in (C, "c"), (RUST, "rust"):
        said = login.run(guest.nics[0].guest4, f"virtio-net-rust use {word}; echo still here")
        assert said.splitlines() == [*(f"{name}: {driver}" for name in names), "still here"]
        assert [driver_of(guest, nic) for nic in guest.nics[:2]] == [driver, driver]
        assert [guest.interface(nic) for nic in guest.nics[:2]] == names
        for name, (had, known) in zip(names, wanted):
            has_again(guest, name, had)
            assert udev_names(guest, name) == known
        assert login.run(guest.nics[0].guest4, "hostname").strip() == "machine"


def test_ifupdown(guest):
    """It has the address of one NIC from DHCP, while systemd-networkd has the other one."""
    nic = guest.nics[1]
    name = guest.interface(nic)
    guest.put("/etc/systemd/network/10-other.network", f"[Match]\nName={name}\n[Link]\nUnmanaged=yes\n")
    guest.put("/etc/network/interfaces.d/other", f"allow-hotplug {name}\niface {name} inet dhcp\n")
    with dhcp(nic):
        guest.run(f"networkctl reload; ip address flush dev {name}; systemctl start ifup@{name}.service", timeout=120)
        has_address(guest, nic)
        has_route(guest, name)
        wanted = state_of_dhcpcd(guest, name)
        for driver, word in (C, "c"), (RUST, "rust"):
            guest.run(["virtio-net-rust", "use", word, name], timeout=120)
            assert driver_of(guest, nic) == driver
            has_again(guest, name, wanted, seen=state_of_dhcpcd)
            guest.run(["ping", "-c", 1, nic.host4])
    guest.run(f"ifdown {name}; rm /etc/systemd/network/10-other.network /etc/network/interfaces.d/other; networkctl reload")


def test_hand_over_refused(guest):
    """What would take something away, and what is no NIC of these."""
    name = guest.interface(guest.nics[1])
    guest.run(f"ip link add link {name} name tagged type vlan id 5")
    done = guest.run(["virtio-net-rust", "use", "c", name], check=False)
    assert done.rc == 1 and f"{name} carries tagged" in done.stderr
    assert driver_of(guest, guest.nics[1]) == RUST
    guest.run("ip link delete tagged")
    done = guest.run(["virtio-net-rust", "use", "c", "lo"], check=False)
    assert done.rc == 1 and "lo is no virtio NIC" in done.stderr
    assert guest.run(["virtio-net-rust", "use", "both"], check=False).rc == 2


# --- Which NICs -----------------------------------------------------------------


def test_one_of_two(guest):
    """By MAC address, and by PCI address; what was decided by hand stays."""
    one, other = guest.nics[:2]
    places = place_of(guest, one), place_of(guest, other)
    for text, drivers in {
        other.mac.upper(): (C, RUST),
        places[0]: (RUST, C),
        f"# one\n{places[1].removeprefix('0000:')}": (C, RUST),
    }.items():
        choose_anew(guest, text)
        assert (driver_of(guest, one), driver_of(guest, other)) == drivers, text
    guest.run(["virtio-net-rust", "use", "c", guest.interface(other)], timeout=120)
    guest.run("udevadm trigger --action=add --subsystem-match=virtio --settle; udevadm settle")
    # The settings still say that the other one is for Rust.
    assert (driver_of(guest, one), driver_of(guest, other)) == (C, C)
    choose_anew(guest, "all")


@pytest.fixture(scope="module")
def name_when_plugged(guest):
    """What the third NIC is called with the driver in C."""
    settings(guest, "none")
    with plugged(guest, guest.nics[2]):
        return guest.interface(guest.nics[2])


@pytest.mark.parametrize("text,taker", [("all", RUST), ("none", C), ("MAC", RUST), ("0000:00:02.0", C)])
def test_plugged_in(guest, name_when_plugged, text, taker):
    nic = guest.nics[2]
    settings(guest, nic.mac if text == "MAC" else text)
    with plugged(guest, nic):
        wait_for(lambda: driver_of(guest, nic) == taker, f"{taker} does not have it", 30)
        wait_for(lambda: guest.interface(nic) == name_when_plugged, f"it is not called {name_when_plugged}", 30)
    settings(guest, "all")


def test_link_files(guest):
    """One that names the driver in C and whatever begins so matches with either driver."""
    nic = guest.nics[2]
    guest.put("/etc/systemd/network/50-both.link", "[Match]\nDriver=virtio_net*\n[Link]\nName=both0\n")
    guest.run("udevadm control --reload")
    for text, driver in ("all", RUST), ("none", C):
        settings(guest, text)
        with plugged(guest, nic):
            wait_for(lambda: driver_of(guest, nic) == driver, f"{driver} does not have it", 30)
            wait_for(lambda: guest.interface(nic) == "both0", "the rule does not match", 30)
    guest.run("rm /etc/systemd/network/50-both.link; udevadm control --reload")
    settings(guest, "all")


@pytest.fixture
def standby(guest):
    """The third NIC, as one that stands by for another one."""
    nic = guest.nics[2]
    nic.properties["failover"] = True
    yield nic
    del nic.properties["failover"]


def masters(guest, nic):
    """The names of all interfaces with its address, each with that of its master."""
    links = json.loads(guest.run(["ip", "-json", "link"]).stdout)
    return {link["ifname"]: link.get("master") for link in links if link.get("address") == nic.mac}


def test_stands_by(guest, name_when_plugged, standby):
    """udev tells it from its master, with either driver."""
    wanted = {name_when_plugged: None, f"{name_when_plugged}nsby": name_when_plugged}
    for text, driver in ("none", C), ("all", RUST):
        settings(guest, text)
        with plugged(guest, standby):
            wait_for(lambda: masters(guest, standby) == wanted, f"they are called {masters(guest, standby)}", 30)
            slave = f"/sys/class/net/{name_when_plugged}nsby/device/driver"
            assert guest.run(["readlink", "-f", slave]).stdout.strip().endswith(f"/{driver}")
            guest.run("udevadm settle")


def test_not_taken(guest):
    """A module that does not load, one that loads and takes nothing, and one whose probe fails: C takes the NIC, and the log says so."""
    nic = guest.nics[2]
    guest.run(["virtio-net-rust", "use", "c"], timeout=120)
    guest.run(f"rm -f {DECIDED}/virtio*; rmmod {RUST}")
    for rule in f"install {RUST} /usr/bin/false", f"install {RUST} /usr/bin/true", f"options {RUST} napi_weight=0":
        guest.put("/etc/modprobe.d/broken.conf", f"{rule}\n")
        guest.run("dmesg --clear")
        with plugged(guest, nic):
            wait_for(lambda: driver_of(guest, nic) == C, "C does not have it", 30)
        log = guest.run("dmesg").stdout
        assert log.count(f"{RUST} does not take it, and {C} is to") == 1
    # Of the last one, whose module is there now, and refuses what was taken from C.
    assert "napi_weight=0 receives nothing" in log
    name = guest.interface(guest.nics[0])
    has_address(guest, guest.nics[0])
    wanted = state(guest, name)
    done = guest.run(["virtio-net-rust", "use", "rust", name], check=False, timeout=120)
    assert done.rc == 1 and f"{RUST} does not take {name}, which {C} has again" in done.stderr
    assert driver_of(guest, guest.nics[0]) == C
    has_again(guest, name, wanted)
    guest.run(f"rm /etc/modprobe.d/broken.conf; rmmod {RUST}")


def test_signature(guest, root, tmp_path):
    """Where the kernel wants one, as with Secure Boot, C has the NICs, and who tries is told why."""
    nic = guest.nics[2]
    modules = {"unsigned module": root / MODULE, "module with unavailable key": signed(root / MODULE, tmp_path)[0]}
    guest.run(["virtio-net-rust", "use", "c"], timeout=120)
    guest.run(f"rm -f {DECIDED}/virtio*; rmmod {RUST}; echo 1 >/sys/module/module/parameters/sig_enforce")
    for kind, module in modules.items():
        guest.put(f"/{MODULE}", module.read_bytes())
        guest.run("dmesg --clear")
        with plugged(guest, nic):
            wait_for(lambda: driver_of(guest, nic) == C, "C does not have it", 30)
        log = guest.run("dmesg").stdout
        assert f"Loading of {kind} is rejected" in log and f"{RUST} does not take it, and {C} is to" in log
        done = guest.run(["virtio-net-rust", "use", "rust", guest.interface(guest.nics[0])], check=False, timeout=120)
        assert done.rc == 1 and f"could not insert '{RUST}': Key was rejected by service" in done.stderr


# --- Another machine ------------------------------------------------------------

INTERFACES = "auto enp0s2\niface enp0s2 inet dhcp\nauto enp0s3\niface enp0s3 inet static\n  address 192.0.2.1/24\n"


@pytest.fixture
def other_disk(root, disk):
    """One that has only the second NIC with the driver, and ifupdown in the place of systemd-networkd."""
    kept = (root / CONF.lstrip("/")).read_text()
    interfaces = root / "etc/network/interfaces"
    (root / CONF.lstrip("/")).write_text("52:54:00:99:00:02\n")
    before = interfaces.read_text()
    interfaces.write_text(INTERFACES)
    machine.run_in(root, "systemctl", "--quiet", "disable", "systemd-networkd")
    machine.run_in(root, "update-initramfs", "-u")
    yield machine.make_disk(root, root.parent / "other")
    machine.run_in(root, "systemctl", "--quiet", "enable", "systemd-networkd")
    (root / CONF.lstrip("/")).write_text(kept)
    interfaces.write_text(before)


@whole_only("it boots once more")
def test_one_of_two_from_the_initramfs_on(boot, other_disk):
    nics = [{"mac": "52:54:00:99:00:01"}, {"mac": "52:54:00:99:00:02"}]
    with booted(boot, other_disk, nics=nics) as guest:
        one, other = guest.nics
        has_address(guest, one)
        assert (driver_of(guest, one), driver_of(guest, other)) == (C, RUST)
        wait_for(lambda: " 192.0.2.1/24 " in guest.run(["ip", "-4", "address"]).stdout, "ifupdown does not give the other one its address")
        wanted = [state(guest, guest.interface(nic)) for nic in guest.nics]
        guest.run(["virtio-net-rust", "use", "rust"], timeout=120)
        assert (driver_of(guest, one), driver_of(guest, other)) == (RUST, RUST)
        guest.run(["virtio-net-rust", "use", "c"], timeout=120)
        assert (driver_of(guest, one), driver_of(guest, other)) == (C, C)
        for nic, had in zip(guest.nics, wanted):
            has_again(guest, guest.interface(nic), had)
        host.run("ping", "-c", "1", one.guest4)


# --- A newer version, and none --------------------------------------------------


def test_initial_ram_disk(root, disk):
    """What the driver asks for while it runs is there, too: a NIC that stands by for another one needs net_failover."""
    names = {Path(file).name.split(".")[0] for file in machine.initrd(root)}
    assert {RUST, C, "net_failover", "failover", "choose", NAME, "79-virtio-net-rust"} <= names


@pytest.fixture(scope="module")
def upgraded(root, disk, packages, tmp_path_factory):
    """The machine after the installation of a later version, with settings of its own; the number of that version."""
    folder, number = tmp_path_factory.mktemp("newer"), Version.newest().number
    newer = re.sub(r"^\d", "9", number)
    for name in NAME, MODULES:
        tree = folder / name
        host.run("dpkg-deb", "--raw-extract", packages[name], tree)
        for file in tree / "DEBIAN/control", tree / MODULE:
            if file.exists():
                file.write_bytes(file.read_bytes().replace(number.encode(), newer.encode()))
        (tree / "DEBIAN/md5sums").unlink()
        host.run("dpkg-deb", "--build", tree, folder)
    (root / CONF.lstrip("/")).write_text(SETTINGS)
    machine.install(root, *folder.glob("*.deb"))
    return newer


def test_upgrade(root, upgraded):
    """The settings stay, and the initial ram disk has the module of the new version."""
    assert (root / CONF.lstrip("/")).read_text() == SETTINGS
    script = f"unmkinitramfs /boot/initrd.img-{RELEASE} /tmp/initrd; find /tmp/initrd /usr -name {RUST}.ko* | xargs -n 1 modinfo -F version"
    assert machine.run_in(root, "sh", "-ec", script).stdout.split() == [upgraded, upgraded]


@whole_only("it boots once more")
def test_upgraded(boot, root, upgraded):
    with booted(boot, machine.make_disk(root, root.parent / "upgraded"), nics=[{}]) as guest:
        has_address(guest, guest.nics[0])
        assert driver_of(guest, guest.nics[0]) == RUST
        assert guest.read(f"/sys/module/{RUST}/version").strip() == upgraded


def test_nothing_is_left(root, before, upgraded):
    """They are purged; the initial ram disk that is made then has nothing of them, either. `test_installed_anew` boots it."""
    machine.run_in(root, "apt-get", "purge", "--yes", f"{NAME}*")
    assert files(root) - before == set() and before - files(root) == set()
    assert [file for file in machine.initrd(root) if RUST in file or NAME in file] == []
    assert RUST not in (root / f"usr/lib/modules/{RELEASE}/modules.dep").read_text()
