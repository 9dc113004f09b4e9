# SPDX-License-Identifier: GPL-2.0
"""A guest to run the kernel's tests in: the NIC under test, and a second one that plays the other machine.

The second NIC is in a network namespace of the guest's, where the tests look for the remote end, and is always the C
driver's. It takes whole packets with whole checksums only, so what arrives there is what went over the wire. The TAP
devices of the two are joined by a bridge in the lab's own namespace.
"""

import os
from pathlib import Path

from lab import driver as drivers
from lab import host
from lab.agent import GuestDied
from lab.guest import Guest

DISK = Path(os.environ.get("LAYER", "/nowhere")) / "disk.ext4"
PLACE = "/kselftest"
TESTS, TOOLS = f"{PLACE}/tests", f"{PLACE}/tools/usr"

# irq.py moves the interrupt of CPUs 0 and 1, if there are no others, to 0 and 2.
CPUS = 3

GUEST_OFFLOADS = ("csum", "tso4", "tso6", "ecn", "ufo", "uso4", "uso6", "tunnel", "tunnel_csum")
PEER = {f"guest_{name}": "off" for name in GUEST_OFFLOADS}
NAMESPACE = "rem"
# The largest that a TAP device takes: 65535 less an Ethernet header.
MTU = "65521"

# Not those that the tests use for tunnels of their own.
LOCAL = {"4": "198.51.100.1", "6": "2001:db8:1::1"}
REMOTE = {"4": "198.51.100.2", "6": "2001:db8:1::2"}
PREFIX = "2001:db8:2::"

# How often the output of a test is brought over, to have most of it if the guest dies.
PIECE = 20
# Beyond its limit a test gets this long to clean up, and then this long until the guest is given up.
CLEANING, GRACE = 30, 60
# The exit statuses of timeout(1) for a command that it had to end.
KILLED = (124, 137)


def silence(*names):
    """Has the host send nothing of its own through interfaces."""
    for name in names:
        host.run("ip", "address", "flush", "dev", name)
        Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")


class Bridge:
    """Joins the TAP devices of NICs; frames of any size pass."""

    def __init__(self, name, nics):
        self.name, self.taps = name, [nic.tap for nic in nics]

    def make(self):
        host.run("ip", "link", "add", self.name, "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        for tap in self.taps:
            host.run("ip", "link", "set", tap, "mtu", MTU, "master", self.name)
        silence(self.name, *self.taps)
        host.run("ip", "link", "set", self.name, "up")

    def remove(self):
        host.run("ip", "link", "delete", self.name, check=False)


class Wire:
    """Joins the TAP devices of two NICs, and frames from any address pass: a bridge drops those from a group, which tests have."""

    def __init__(self, _name, nics):
        self.taps = [nic.tap for nic in nics]

    def make(self):
        silence(*self.taps)
        for tap, other in zip(self.taps, reversed(self.taps), strict=True):
            host.run("ip", "link", "set", tap, "mtu", MTU)
            host.run("tc", "qdisc", "add", "dev", tap, "clsact")
            every, redirect = ("protocol", "all", "u32", "match", "u32", "0", "0"), ("mirred", "egress", "redirect", "dev", other)
            host.run("tc", "filter", "add", "dev", tap, "ingress", *every, "action", *redirect)

    def remove(self):
        """Filters go with the TAP devices."""


def kind(test):
    """Tests of the same kind can share a guest."""
    return test.nic, test.mate


class Testbed:
    """A guest with `driver` on the NIC of `setup`, for tests of the kind of `test`; to be started, set up, and closed in the end."""

    def __init__(self, driver, setup, files, test):
        disk = ("-drive", f"file={DISK},if=none,id=tests,format=raw,snapshot=on", "-device", "virtio-blk-pci,drive=tests,serial=tests")
        self.driver = driver
        self.kind, self.mate = kind(test), test.mate
        nic = setup.nic | test.nic
        if test.mate and "queues" in nic:
            # As many that the drivers have none apart for XDP: the device would spread over those what comes.
            nic["queues"] = CPUS
        self.guest = Guest(nics=[nic, nic if test.mate else PEER], files=files, extra=disk, cpus=CPUS)
        self.nic, self.peer = self.guest.nics
        self.bridge = (Wire if test.mate else Bridge)(f"br{self.nic.number}", self.guest.nics)
        self.name = self.peer_name = None

    def start(self):
        self.guest.__enter__()
        try:
            self.bridge.make()
        except BaseException:
            self.close()
            raise

    def close(self):
        self.guest.close()
        self.bridge.remove()

    def set_up(self):
        """Loads the drivers and gives each NIC its place."""
        run = self.guest.run
        run(f"mkdir {PLACE} && mount {self.guest.disk('tests')} {PLACE}")
        self.driver.load(self.guest)
        self.name = self.guest.interface(self.nic)
        if self.mate:
            self.peer_name = self.guest.interface(self.peer)
            # Pages of user space that follow each other.
            run("echo 64 >/proc/sys/vm/nr_hugepages")
            # The tests look at the first queue only.
            for nic, name in ((self.nic, self.name), (self.peer, self.peer_name)):
                if nic.queues > 1:
                    run(f"ethtool -L {name} combined 1")
            self.guest.kernel_messages()
            return
        if self.driver != drivers.C:
            device = self.guest.virtio_device(self.peer)
            run(f"echo {device} >/sys/bus/virtio/drivers/{self.driver.name}/unbind")
            drivers.C.load(self.guest)
        self.peer_name = self.guest.interface(self.peer)
        run(f"ip netns add {NAMESPACE} && ip link set {self.peer_name} netns {NAMESPACE}")
        run(f"ip -n {NAMESPACE} link set lo up")
        self._address(f"ip -n {NAMESPACE}", self.peer_name, REMOTE)
        self.guest.kernel_messages()

    def _address(self, ip, name, addresses):
        self.guest.run(
            f"{ip} link set {name} up && {ip} address replace {addresses['4']}/24 dev {name} && "
            f"{ip} address replace {addresses['6']}/64 dev {name} nodad"
        )

    def prepare(self, test):
        """Gives the NIC the state that a test starts from, whatever the last one did to its addresses."""
        if test.mate:
            for name in (self.name, self.peer_name):
                self.guest.run(f"sysctl -qw net.ipv6.conf.{name}.disable_ipv6=1 && ip link set {name} up promisc on")
        elif test.bare:
            self.guest.run(f"ip address flush dev {self.name} && ip link set {self.name} down")
        else:
            self._address("ip", self.name, LOCAL)
            self.guest.run(["ping", "-n", "-c", "1", "-w", "20", REMOTE["6"]])

    def environment(self):
        return {
            "PATH": f"{TOOLS}/sbin:{TOOLS}/bin:/usr/sbin:/usr/bin",
            "LD_LIBRARY_PATH": f"{TOOLS}/lib/x86_64-linux-gnu",
            "NETIF": self.name,
            "LOCAL_V4": LOCAL["4"],
            "LOCAL_V6": LOCAL["6"],
            "REMOTE_V4": REMOTE["4"],
            "REMOTE_V6": REMOTE["6"],
            "LOCAL_PREFIX_V6": f"{PREFIX}/64",
            "REMOTE_TYPE": "netns",
            "REMOTE_ARGS": NAMESPACE,
        }

    def run(self, test, log):
        """Runs a test, with its output in the file `log`; returns its exit status, or None if it had to be killed.
        A dead guest is raised, and what the test said before is in the file."""
        folder, _, file = test.path.rpartition("/")
        # One or the other comes without the bit; kselftest's own runner does not need it either.
        self.guest.run(["chmod", "+x", f"{TESTS}/{test.path}"])
        words = [f"{name}={value}" for name, value in self.environment().items()]
        command = self.guest.spawn(
            ["sh", "-c", 'exec "$@" 2>&1', "sh", "env", "-C", f"{TESTS}/{folder}", *words]
            + ["timeout", "-k", CLEANING, test.limit, f"./{file}"]
            + [word.format(nic=self.name, mate=self.peer_name) for word in test.arguments]
        )
        waited = size = 0
        with open(log, "wb") as output:
            while True:
                status = command.ended(PIECE)
                piece = self.guest.get(command.paths[0], size)
                output.write(piece)
                output.flush()
                size += len(piece)
                if status is not None:
                    return None if status in KILLED else status
                waited += PIECE
                if waited > test.limit + CLEANING + GRACE:
                    raise GuestDied("the test cannot be killed")
