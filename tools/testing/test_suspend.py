# SPDX-License-Identifier: GPL-2.0
"""The machine sleeps, or is saved to disk, or the device is reset: afterwards traffic goes on, and all that had been set still is."""

import itertools
import json
import re

import pytest

from lab import driver as drivers
from lab import xdp
from support import binding, bpf, commands, counters, exchange, leaks, queues, suspend
from support.kernel_log import errors, no_errors  # noqa: F401
from support.nics import LEGACY, NO_CONTROL_QUEUE, PACKED, SMALL, queue_size, tap_has_gso

DEVICES = [{"queues": 2}, {"queues": 2} | PACKED | SMALL, LEGACY, NO_CONTROL_QUEUE]
WAYS = {"idle": suspend.to_idle, "memory": suspend.to_memory, "disk": suspend.to_disk, "reset": suspend.by_reset}
ADDRESS, GROUP, VLAN = "02:00:00:00:00:07", "01:00:5e:7f:00:07", 7
FAULT = f"/sys/module/{drivers.RUST.name}/parameters/fault"
TRIED_AGAIN = re.compile(r"device does not come back from its reset \(ENOMEM\), next try in 1000 ms$")
# More than there are points, so that an end is found.
MOST = 100


@pytest.fixture(scope="module")
def guest(boot, driver, tmp_path_factory):
    extra = suspend.disk(tmp_path_factory.mktemp("swap"))
    programs = bpf.build("xdp", tmp_path_factory.mktemp("xdp"))
    with boot(nics=DEVICES, files=[exchange.PEER, leaks.POOLS, programs], **leaks.LOOKED_FOR, extra=extra) as guest:
        driver.load(guest)
        guest.run(["modprobe", "8021q"])
        for nic in guest.nics:
            guest.bring_up(nic)
        with exchange.peer_in(guest), exchange.peer_on_host():
            yield guest


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_traffic_goes_on(guest, driver, way):
    if driver is drivers.C and way is suspend.by_reset:
        pytest.skip("the C driver does not reset a device")
    pools = leaks.pools_in_use(guest)
    for _ in range(3 if way is suspend.to_memory else 1):
        way(guest)
        for nic in guest.nics:
            exchange.reaches(nic)
    for nic in guest.nics:
        exchange.everything(guest, nic)
    leaks.wait_for_pools(guest, pools)


def test_program(guest, driver):
    """An XDP program stays, and so does what is off for it, until it goes. With C it is not run any more, and cannot be detached."""
    nic = guest.nics[0]
    name = guest.interface(nic)
    xdp.load(guest)
    with xdp.attached(guest, name, "tx"):
        for way in (suspend.to_sleep, suspend.by_reset)[: 1 if driver is drivers.C else 2]:
            way(guest)
            exchange.reaches(nic)
            exchange.frames_echo(nic, [60, 1514])
            assert not tap_has_gso(nic)
    assert tap_has_gso(nic)
    exchange.everything(guest, nic)


def in_guest(guest, name):
    """What is set, as the guest has it."""
    link = json.loads(guest.run(["ip", "-json", "-details", "link", "show", name]).stdout)[0]
    commands = [f"ethtool -{option} {name}" for option in "lgk"] + [f"ip maddress show dev {name}", f"bridge fdb show dev {name}"]
    return [link["address"], link["allmulti"], link["mtu"], *(guest.run(command).stdout for command in commands)]


def in_device(guest, nic):
    """The same, as the device has it."""
    found = guest.qmp("query-rx-filter", name=nic.id)[0]
    sizes = [queue_size(guest, nic, queue) for queue in range(2)]
    return {name: sorted(value) if isinstance(value, list) else value for name, value in found.items()} | {"sizes": sizes}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("number", [0, 1], ids=["split", "packed, small"])
def test_settings_stay(guest, driver, number, way):
    if driver is drivers.C:
        pytest.skip("the C driver loses most of them")
    nic = guest.nics[number]
    name, device = guest.interface(nic), guest.virtio_device(nic)
    mac = "52:54:00:bb:00:01"
    changes = [
        f"ip link set {name} address {mac} allmulticast on mtu 1400",
        f"bridge fdb add {ADDRESS} dev {name} self",
        f"ip maddress add {GROUP} dev {name}",
        f"ip link add link {name} name above type vlan id {VLAN}",
        f"ethtool -L {name} combined 1",
        f"ethtool -G {name} rx 128 tx 64",
    ]
    guest.run(" && ".join(changes))
    before = in_guest(guest, name), in_device(guest, nic)
    assert before[1]["main-mac"] == mac and before[1]["multicast"] == "all" and before[1]["sizes"] == [128, 64]
    assert ADDRESS in before[1]["unicast-table"] and GROUP in before[1]["multicast-table"]
    assert VLAN in before[1]["vlan-table"]
    way(guest)
    assert (in_guest(guest, name), in_device(guest, nic)) == before
    exchange.reaches(nic)
    assert queues.carried(guest, nic, name, device) == queues.names(1)
    back = [
        "ip link delete above",
        f"ip link set {name} address {nic.mac} allmulticast off mtu 1500",
        f"bridge fdb del {ADDRESS} dev {name} self",
        f"ip maddress del {GROUP} dev {name}",
        f"ethtool -L {name} combined 2",
        f"ethtool -G {name} rx 256 tx 256",
    ]
    guest.run(" && ".join(back))
    exchange.reaches(nic)
    exchange.everything(guest, nic)


def test_contexts_stay(guest, driver):
    """NAPI contexts keep their ids, and what is set of one; the stack knows the interrupt of each, which C does not say."""
    nic = guest.nics[0]
    name, device = guest.interface(nic), guest.virtio_device(nic)

    def contexts():
        found = sorted(counters.contexts(guest, name), key=lambda one: one["id"])
        return [{key: one[key] for key in ("id", "defer")} for one in found]

    counters.netdev(guest, "defer", contexts()[1]["id"], 7)
    before = contexts()
    assert [one["defer"] for one in before] == [0, 7]
    for command in (f"ip link set {name} down && ip link set {name} up", f"ethtool -G {name} rx 128", f"ethtool -G {name} rx 256"):
        guest.run(command)
        assert contexts() == before
    suspend.to_memory(guest)
    assert contexts() == before
    if driver is drivers.RUST:
        irqs = {one.get("irq") for one in counters.contexts(guest, name)}
        assert irqs == {queues.vectors(guest, device)[f"input.{i}"] for i in range(2)}
    counters.netdev(guest, "defer", before[1]["id"], 0)
    guest.run(f"ip address replace {nic.guest6}/64 dev {name} nodad")
    exchange.everything(guest, nic)


def test_guest_gso_stays_off(guest, driver):
    if driver is drivers.C:
        pytest.skip("the C driver loses it")
    nic = guest.nics[0]
    name = guest.interface(nic)
    guest.run(["ethtool", "-K", name, "rx-gro-hw", "off"])
    suspend.to_memory(guest)
    assert not tap_has_gso(nic)
    guest.run(["ethtool", "-K", name, "rx-gro-hw", "on"])
    assert tap_has_gso(nic)


def test_interface_that_is_down(guest):
    for nic in guest.nics:
        guest.run(["ip", "link", "set", guest.interface(nic), "down"])
    suspend.to_memory(guest)
    for nic in guest.nics:
        guest.bring_up(nic)
        exchange.reaches(nic)
        exchange.everything(guest, nic)


def test_under_traffic(guest):
    """The guest's end of it sleeps too, the host's does not."""
    nic = guest.nics[0]
    with exchange.flooded(guest, nic):
        for _ in range(3):
            suspend.to_memory(guest)
            exchange.reaches(nic)
    exchange.everything(guest, nic)


def test_link_that_changes_meanwhile(guest):
    nic = guest.nics[0]
    name = guest.interface(nic)
    for up in (False, True):
        guest.set_link(nic, up)
        suspend.to_memory(guest)
        guest.wait_for_carrier(name, up)
    exchange.everything(guest, nic)


# --- Devices that do not come back ------------------------------------------------


@pytest.fixture(scope="module")
def faulty(boot, driver, faulty_module):
    with boot(nics=[{"queues": 2}], files=[faulty_module, exchange.PEER, leaks.POOLS], **leaks.LOOKED_FOR) as guest:
        driver.load(guest)
        guest.bring_up(guest.nics[0])
        with exchange.peer_in(guest):
            yield guest


def test_each_step_of_coming_back_fails(faulty, driver):
    """It is tried again a second later, and works, unless the device is unbound before: it works when it is bound again."""
    nic = faulty.nics[0]
    device = faulty.virtio_device(nic)
    points = []
    for number in itertools.count(1):
        assert number < MOST, points
        errors(faulty)
        faulty.run(f"echo {number} >{FAULT}")
        suspend.to_memory(faulty)
        said = errors(faulty)
        if not any("fault point" in line for line in said):
            break
        points += [line for line in said if "fault point" in line]
        if number % 2:
            exchange.reaches(nic)
        else:
            binding.unbind(faulty, driver, device)
            leaks.nothing_left(faulty, nic, device)
            binding.bind(faulty, driver, device)
            faulty.bring_up(nic)
            exchange.ping(faulty.run, nic.host4)
        said += errors(faulty)
        assert len([line for line in said if TRIED_AGAIN.search(line)]) == 1, said
        assert len([line for line in said if f"virtio_net_rust {device}: " in line]) <= 2, said
    faulty.run(f"echo 0 >{FAULT}")
    print("fault points:", points)
    assert len(points) >= 8
    exchange.everything(faulty, nic)


def test_comes_back_the_next_time(faulty):
    """When the machine sleeps once more before it is tried again, or later."""
    nic = faulty.nics[0]
    faulty.run(f"echo 1 >{FAULT}")
    suspend.to_memory(faulty)
    suspend.to_memory(faulty)
    assert any("fault point" in line for line in errors(faulty))
    exchange.reaches(nic)
    exchange.everything(faulty, nic)


def test_device_refuses_what_was_set(faulty):
    """One line for each; the rest counts, and the device works."""
    nic = faulty.nics[0]
    name = faulty.interface(nic)
    queues.use(faulty, name, 2)
    commands.refuse(faulty, commands.QUEUES)
    suspend.to_memory(faulty)
    assert queues.used(faulty, name)[0] == 1
    commands.refuse(faulty, commands.MAC)
    suspend.to_memory(faulty)
    said = errors(faulty)
    assert len(said) == 1 and "MAC address" in said[0], said
    exchange.reaches(nic)
    queues.use(faulty, name, 2)
    exchange.everything(faulty, nic)
