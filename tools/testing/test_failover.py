# SPDX-License-Identifier: GPL-2.0
"""A NIC that stands by for another one: the kernel's net_failover above both, while the other comes and goes."""

import json
import os
import re

import pytest

from lab import driver as drivers
from lab import kernel, traffic
from lab.agent import CommandFailed
from lab.moving import MovingGuest
from lab.nic import Bridged
from support import exchange, faults, moving, suspend
from support.kernel_log import errors, no_errors  # noqa: F401

# net_failover stops the queues of its master, which has no qdisc, as soon as nothing below can send; what the stack sends before
# the master is down as well is refused by the core with this line. A flood makes it appear with the C driver too.
HARMLESS_HERE = re.compile("Virtual device .* asks to queue packet!")

STANDBY = {"failover": "on"}
# CYCLES says another number.
TIMES = int(os.environ.get("CYCLES") or kernel.rounds(12))
MOVES = int(os.environ.get("CYCLES") or kernel.rounds(4))


class Primary(Bridged):
    """The only other NIC of QEMU's that Debian's cloud kernel has a driver for, on the bridge of the one that stands by for it."""

    stays = False

    def __init__(self, standby, machine="q35"):
        super().__init__({"mac": standby.mac, "plugged": False}, machine)
        self.standby = standby

    @property
    def link(self):
        return self.standby.link

    def make(self):
        self.make_tap()

    def device(self):
        return super().device() | {"driver": "vmxnet3", "failover_pair_id": self.standby.id, "romfile": ""}


def interfaces(guest, nic):
    """The names of all that have the NIC's address, by what they are."""
    found = {}
    for link in json.loads(guest.run(["ip", "-json", "-details", "link"]).stdout):
        if link.get("address") == nic.mac:
            driver = guest.run(f"ethtool -i {link['ifname']} | sed -n 's/^driver: //p'").stdout.strip()
            found[{"net_failover": "master", "vmxnet3": "primary"}.get(driver, "standby")] = link
    return found


def name_of(guest, nic, kind):
    return interfaces(guest, nic)[kind]["ifname"]


def received(guest, name):
    return int(guest.read(f"/sys/class/net/{name}/statistics/rx_packets"))


@pytest.fixture(scope="module")
def guest(boot, driver):
    standby = Bridged(STANDBY)
    primary = Primary(standby)
    with boot(kind=MovingGuest, nics=[standby, primary], files=[exchange.PEER]) as guest:
        guest.run(["modprobe", "vmxnet3"])
        driver.load(guest)
        if kernel.chosen() is not kernel.STOCK:
            # net_failover of 7.3 does not initialise its lock for statistics, with either driver.
            assert "trying to register non-static key" in guest.new_kernel_reports()[0]
            errors(guest)
        yield guest


def use(guest, nic, kind="master"):
    """One of the interfaces with the address; the slaves of a master are up with it."""
    name = name_of(guest, nic, kind)
    guest.run(f"ip address replace {nic.guest4}/24 dev {name} && ip link set {name} up")
    faults.wait(lambda: guest.read(f"/sys/class/net/{name}/carrier").strip() == "1", f"{name} has no carrier")
    return name


def answers(guest, nic):
    """Whoever asks first has the bridge learn where the address is."""
    exchange.answers(guest.run, nic.host4)
    exchange.answers(traffic.host_run, nic.guest4)


def test_master(guest):
    """There is a master from the beginning, and the interface below is its standby."""
    nic = guest.nics[0]
    found = interfaces(guest, nic)
    assert set(found) == {"master", "standby"}
    standby = found["standby"]
    assert standby["master"] == found["master"]["ifname"]
    assert guest.read(f"/sys/class/net/{standby['ifname']}/phys_port_name").strip() == "sby"
    with pytest.raises(CommandFailed, match="not supported"):
        guest.run(["ip", "link", "set", standby["ifname"], "address", "02:00:00:00:00:01"])
    use(guest, nic)
    answers(guest, nic)
    with exchange.peer_in(guest):
        exchange.tcp_to_guest(nic.guest4)
        exchange.tcp_from_guest(nic.guest4)


def slave(guest, nic):
    """Waits for the primary, and returns its interface, whose number no other one has had."""
    faults.wait(lambda: "primary" in interfaces(guest, nic), "no primary appeared")
    found = interfaces(guest, nic)
    assert found["primary"]["master"] == found["master"]["ifname"]
    return found["primary"]


def test_primary_comes_and_goes(guest):
    """Packets take its way while it is there, and a stream survives when it goes."""
    nic, primary = guest.nics
    use(guest, nic)
    standby = name_of(guest, nic, "standby")
    with exchange.peer_in(guest):
        for _ in range(TIMES):
            guest.plug(primary)
            name = slave(guest, nic)["ifname"]
            answers(guest, nic)
            before = received(guest, name), received(guest, standby)
            exchange.tcp_to_guest(nic.guest4, 1 << 20)
            after = received(guest, name), received(guest, standby)
            # The stack may still hear what is for all, but the stream has dozens of packets, however they are merged.
            assert after[0] - before[0] > 16 > after[1] - before[1]
            with guest.spawn(["ping", "-n", "-q", "-i", "0.05", nic.host4]):
                guest.unplug(primary)
                answers(guest, nic)
            exchange.tcp_from_guest(nic.guest4)
    assert set(interfaces(guest, nic)) == {"master", "standby"}


def test_moves(guest):
    """The primary stays behind when the guest moves, and there is another one in the new place."""
    nic, primary = guest.nics
    use(guest, nic)
    guest.plug(primary)
    with exchange.peer_in(guest), exchange.peer_on_host():
        before = slave(guest, nic)["ifindex"]
        for _ in range(MOVES):
            answers(guest, nic)
            moving.under_traffic(guest, [nic], guest.move)
            after = slave(guest, nic)["ifindex"]
            assert after != before
            before = after
        exchange.tcp_from_guest(nic.guest4)
    guest.unplug(primary)
    answers(guest, nic)


def test_down_and_up_and_asleep(guest):
    nic = guest.nics[0]
    master = use(guest, nic)
    standby = name_of(guest, nic, "standby")
    guest.run(["ip", "link", "set", master, "down"])
    assert "UP" not in interfaces(guest, nic)["standby"]["flags"]
    use(guest, nic)
    assert "UP" in interfaces(guest, nic)["standby"]["flags"]
    guest.run(["ethtool", "-G", standby, "rx", 128])
    suspend.to_sleep(guest)
    answers(guest, nic)


def test_unloaded(guest, driver):
    """The master goes with its standby, and comes again with it. net_failover can be unloaded in between, and not before."""
    nic = guest.nics[0]
    assert guest.run(["rmmod", "net_failover"], check=False).rc
    driver.unload(guest)
    # QEMU plugs in the primary that it knows of each time when the driver takes the feature.
    assert set(interfaces(guest, nic)) <= {"primary"}
    guest.run(["rmmod", "net_failover"])
    driver.load(guest)
    use(guest, nic)
    answers(guest, nic)


def test_no_net_failover(guest, driver):
    """The NIC works by itself then, with a line that says what is missing."""
    if driver is drivers.C:
        pytest.skip("the C driver cannot be loaded without net_failover")
    nic = guest.nics[0]
    driver.unload(guest)
    guest.run("rmmod net_failover && mkdir -p /run/modprobe.d && echo install net_failover false >/run/modprobe.d/none.conf")
    driver.load(guest)
    found = interfaces(guest, nic)
    assert "standby" in found and "master" not in found
    assert re.search("net_failover cannot be loaded: doing without VIRTIO_NET_F_STANDBY$", "\n".join(guest.kernel_messages()), re.M)
    use(guest, nic, "standby")
    answers(guest, nic)
    driver.unload(guest)
    guest.run(["rm", "/run/modprobe.d/none.conf"])
    driver.load(guest)
    assert interfaces(guest, nic)["standby"]["master"] == name_of(guest, nic, "master")
