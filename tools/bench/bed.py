# SPDX-License-Identifier: GPL-2.0
"""The guest that is measured: of each kind of NIC it has two, one for either driver."""

import re
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import driver as drivers
from lab import host
from lab.guest import Guest
from lab.nic import Nic

SOURCE = Path(__file__).with_name("traffic.c")
BUS = "/sys/bus/virtio/drivers"
# What a TAP holds until QEMU takes it: all that a workload sends at once.
BACKLOG = 100_000
QUIET = (
    "vm.stat_interval=3600",
    "vm.compaction_proactiveness=0",
    "vm.dirty_writeback_centisecs=0",
    "net.ipv6.conf.all.disable_ipv6=1",
    "net.ipv6.conf.default.disable_ipv6=1",
)
# How often to look until the host's answer is there too, see `Counter.wait`.
ANSWERED = 12
# The address of nobody.
NOBODY = "52:54:00:ff:ff:ff"


@dataclass(frozen=True)
class Side:
    """One driver with its NIC."""

    label: str
    driver: drivers.Driver
    nic: Nic
    name: str
    device: str


class Bed:
    """A guest with two NICs of each kind, for as long as the `with` block does.

    kinds    QEMU's properties of the NICs, by the name of the kind
    driver   the one that is compared with the C driver
    """

    def __init__(self, kinds, driver, files, folder, **options):
        self.kinds, self.driver = list(kinds), driver
        self.traffic = Path(folder) / "traffic"
        command = ["gcc", "-O2", "-Wall", "-Werror", "-static", "-o", self.traffic, SOURCE]
        subprocess.run(command, check=True)
        nics = [dict(kinds[kind]) for kind in self.kinds for _ in range(2)]
        self.guest = Guest(nics=nics, files=[*files, self.traffic], **options)
        self.counter = self.guest.counter

    def __enter__(self):
        self.guest.__enter__()
        try:
            self._prepare()
        except BaseException:
            self.guest.close()
            raise
        return self

    def __exit__(self, *_):
        self.guest.close()

    def _prepare(self):
        guest = self.guest
        if self.counter:
            self.counter.connect()
        # Nothing that happens by itself: no samples of memory, no small pages to put together, nothing to write back, no
        # neighbours to look for, no routers to ask.
        guest.run("echo N >/sys/module/damon_stat/parameters/enabled", check=False)
        guest.run("echo never >/sys/kernel/mm/transparent_hugepage/enabled")
        guest.run(["sysctl", "-qw", *QUIET])
        drivers.C.load(guest)
        devices = {nic: guest.virtio_device(nic) for nic in guest.nics}
        if self.driver is not drivers.C:
            for nic in guest.nics[1::2]:
                self.unbind(drivers.C, devices[nic])
            self.driver.load(guest)
        self.sides = {}
        for kind, ours, nic in zip([k for k in self.kinds for _ in range(2)], [False, True] * len(self.kinds), guest.nics):
            side = Side(
                "ours" if ours else "C", self.driver if ours else drivers.C, nic, guest.interface(nic), devices[nic]
            )
            self.set_up(side)
            self.sides.setdefault(kind, []).append(side)
        guest.spawn(["/payload/traffic", "serve", "reads"])
        self.udp_sink = self._owner_of_udp(7001)

    def _owner_of_udp(self, port):
        """The process in the guest that has a UDP port, once there is one."""
        look = f"ss -Hulnp sport = :{port}"
        found = self.guest.run(f"until {look} | grep -q pid=; do sleep 0.1; done; {look}").stdout
        return int(re.search(r"pid=(\d+)", found)[1])

    def set_up(self, side):
        nic = side.nic
        mac = host.run("cat", f"/sys/class/net/{nic.tap}/address").stdout.strip()
        self.guest.run(
            f"ip address replace {nic.guest4}/24 dev {side.name} && ip link set {side.name} up && "
            f"ip neigh replace {nic.host4} lladdr {mac} dev {side.name}"
        )
        host.run("ip", "link", "set", nic.tap, "txqueuelen", str(BACKLOG))
        host.run("sysctl", "-qw", f"net.ipv6.conf.{nic.tap}.disable_ipv6=1")
        host.run("ip", "neigh", "replace", nic.guest4, "lladdr", nic.mac, "dev", nic.tap)

    def unbind(self, driver, device):
        self.guest.run(f"echo {device} >{BUS}/{driver.name}/unbind")

    def bind(self, driver, device):
        self.guest.run(f"echo {device} >{BUS}/{driver.name}/bind")

    # --- Traffic --------------------------------------------------------------

    def from_guest(self, *words, timeout=300):
        self.guest.run(["/payload/traffic", *map(str, words)], timeout=timeout)

    def from_host(self, *words, timeout=300):
        host.run(str(self.traffic), *map(str, words), timeout=timeout)

    def stream_to(self, side, count):
        """Sends a stream to the guest. The host's kernel has all of it before the guest sees more than the first packets;
        so what the guest gets next depends only on what it acknowledges."""
        command = [self.traffic, "queued", side.nic.guest4, str(count)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sender:
            said = [sender.stdout.readline()]
            with self.paused():
                sender.stdin.write("\n")
                sender.stdin.flush()
                said.append(sender.stdout.readline())
        if said != ["connected\n", "queued\n"] or sender.returncode != 0:
            raise RuntimeError(f"a stream to {side.label} failed: {said}")

    @contextmanager
    def host_serves(self):
        server = subprocess.Popen([self.traffic, "serve", "discards"], start_new_session=True)
        try:
            yield
        finally:
            host.run("kill", "--", f"-{server.pid}", check=False)
            server.wait()

    @contextmanager
    def paused(self):
        """What is sent to the guest meanwhile waits in front of it."""
        self.guest.qmp("stop")
        try:
            yield
        finally:
            self.guest.qmp("cont")

    @contextmanager
    def prompt(self, looks=3):
        """The guest waits for its devices, see `Counter.wait`."""
        self.counter.wait(looks)
        try:
            yield
        finally:
            self.counter.wait(0)

    def cost(self, action):
        """Instructions that the guest needs for what an action starts."""
        before = self.counter.settled()
        action()
        return self.counter.settled() - before

    def set_queues(self, side, count):
        self.guest.run(["ethtool", "-L", side.name, "combined", count], check=False)
        now = self.guest.run(f"ls -d /sys/class/net/{side.name}/queues/rx-* | wc -l").stdout
        if int(now) != count:
            raise RuntimeError(f"{side.name} has {now} queues and not {count}")

    def wait_taken(self, side, count, timeout=120):
        limit = time.monotonic() + timeout
        while self.taken(side) < count:
            if time.monotonic() > limit:
                raise TimeoutError(f"{side.label}: the guest has not taken all packets within {timeout} s")
            time.sleep(0.02)

    def taken(self, side):
        """How many packets QEMU has taken from the TAP of a NIC."""
        return int(Path(f"/sys/class/net/{side.nic.tap}/statistics/tx_packets").read_text())

    def received(self, side):
        """How many packets a NIC has received, by the guest's count."""
        return int(self.guest.run(["cat", f"/sys/class/net/{side.name}/statistics/rx_packets"]).stdout)
