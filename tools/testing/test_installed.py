# SPDX-License-Identifier: GPL-2.0
"""The packages on a machine as a user has one: who drives which NIC from the boot on, handing over, and what is left when they go."""

import re
import socket
import tempfile
from pathlib import Path

import pytest

from deb.packages import MODULES, NAME
from lab import host, machine
from lab.machine import wait_for
from lab.paths import LOGS, RELEASE
from support import exchange
from support.installed import CONF, DECIDED, RUST, C, booted, choose_anew, driver_of, files, has_address, place_of, plugged
from support.installed import settings, state, udev_names
from support.kernels import stock_only, whole_only

pytestmark = stock_only("packages are made for the stock kernel")

ECHO = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as connection:
    while data := connection.recv(100):
        connection.sendall(data)
"""


@pytest.fixture(scope="module")
def root():
    """A machine's root without the packages; not in memory, as /tmp is."""
    with tempfile.TemporaryDirectory(dir=LOGS) as folder:
        yield machine.unpack(Path(folder))


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
    nics = [{}, {}, {"bus": "port0", "plugged": False}]
    with booted(boot, disk, nics=nics, files=[exchange.PEER]) as guest:
        yield guest


def test_from_the_initramfs_on(guest):
    """Both NICs, with names by their place, and an address from DHCP."""
    nic = guest.nics[0]
    has_address(guest, nic)
    assert [driver_of(guest, nic) for nic in guest.nics[:2]] == [RUST, RUST]
    assert [re.fullmatch(r"en[sp]\w+", guest.interface(nic)) is not None for nic in guest.nics[:2]] == [True, True]
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
                wait_for(lambda: state(guest, name) == wanted, f"{state(guest, name)} is not {wanted}", 30)
                assert "via 203.0.113.7" in guest.run("ip route show table 99").stdout
                connection.sendall(word.encode())
                assert connection.recv(100) == word.encode()
    # The other one has what it had.
    assert driver_of(guest, guest.nics[1]) == RUST


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


@pytest.mark.parametrize("text,taker", [("all", RUST), ("none", C), ("MAC", RUST), ("0000:00:02.0", C)])
def test_plugged_in(guest, text, taker):
    nic = guest.nics[2]
    settings(guest, nic.mac if text == "MAC" else text)
    with plugged(guest, nic):
        wait_for(lambda: driver_of(guest, nic) == taker, f"{taker} does not have it", 30)
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


def test_not_taken(guest):
    """A module that does not load, and one that loads and takes nothing: C takes the NIC, and the log says so."""
    nic = guest.nics[2]
    guest.run(["virtio-net-rust", "use", "c"], timeout=120)
    guest.run(f"rm -f {DECIDED}/virtio*; rmmod {RUST}")
    for rule in f"install {RUST} /usr/bin/false", f"install {RUST} /usr/bin/true":
        guest.put("/etc/modprobe.d/broken.conf", f"{rule}\n")
        guest.run("dmesg --clear")
        with plugged(guest, nic):
            wait_for(lambda: driver_of(guest, nic) == C, "C does not have it", 30)
        assert f"{RUST} does not take it, and {C} is to" in guest.run("dmesg").stdout
    done = guest.run(["virtio-net-rust", "use", "rust", guest.interface(guest.nics[0])], check=False, timeout=120)
    assert done.rc == 1 and driver_of(guest, guest.nics[0]) == C
    has_address(guest, guest.nics[0])
    guest.run("rm /etc/modprobe.d/broken.conf")


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
        wanted = [state(guest, guest.interface(nic)) for nic in guest.nics]
        guest.run(["virtio-net-rust", "use", "rust"], timeout=120)
        assert (driver_of(guest, one), driver_of(guest, other)) == (RUST, RUST)
        guest.run(["virtio-net-rust", "use", "c"], timeout=120)
        assert (driver_of(guest, one), driver_of(guest, other)) == (C, C)
        assert [state(guest, guest.interface(nic)) for nic in guest.nics] == wanted
        host.run("ping", "-c", "1", one.guest4)


# --- Without them ---------------------------------------------------------------


def test_nothing_is_left(root, before, disk):
    """They are purged; the initial ram disk that is made then has nothing of them, either."""
    assert [file for file in machine.initrd(root) if RUST in file or NAME in file]
    machine.run_in(root, "apt-get", "purge", "--yes", f"{NAME}*")
    assert files(root) - before == set() and before - files(root) == set()
    assert [file for file in machine.initrd(root) if RUST in file or NAME in file] == []
    assert RUST not in (root / f"usr/lib/modules/{RELEASE}/modules.dep").read_text()


@whole_only("it boots once more")
def test_purged(boot, root, disk):
    """C is back, as without them."""
    with booted(boot, machine.make_disk(root, root.parent / "purged"), nics=[{}]) as guest:
        has_address(guest, guest.nics[0])
        assert driver_of(guest, guest.nics[0]) == C
        assert host.run("ping", "-c", "1", guest.nics[0].guest4)
