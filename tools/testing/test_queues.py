# SPDX-License-Identifier: GPL-2.0
"""Several pairs of queues: all of them carry packets, and their number changes under traffic."""

import contextlib
import re

import pytest

from lab import driver as drivers
from lab import kernel
from support import binding, commands, counters, exchange, leaks, queues
from support.kernel_log import errors, no_errors  # noqa: F401
from support.nics import PACKED, SMALL, tap_has_gso

PAIRS = 4
ROUNDS = kernel.rounds(20)


@pytest.fixture(scope="module")
def guest(boot, driver):
    options = leaks.LOOKED_FOR | {"files": [exchange.PEER, leaks.POOLS], "cpus": PAIRS, "memory": "2G"}
    nics = [{"queues": PAIRS}, {"queues": PAIRS} | PACKED | SMALL, {"queues": PAIRS + 4}, {}]
    with boot(nics=nics, **options) as guest:
        driver.load(guest)
        for nic in guest.nics:
            guest.bring_up(nic)
        with exchange.peer_in(guest), exchange.peer_on_host():
            yield guest


@pytest.fixture(params=[0, 1], ids=["split", "packed, small"])
def nic(guest, request):
    nic = guest.nics[request.param]
    queues.use(guest, guest.interface(nic), PAIRS)
    return nic


def test_as_many_as_cpus_at_first(guest):
    """And not more than the device has."""
    found = [queues.used(guest, guest.interface(nic)) for nic in guest.nics]
    assert found == [(PAIRS, PAIRS), (PAIRS, PAIRS), (PAIRS, PAIRS + 4), (1, 1)]
    assert [queues.stack_has(guest, guest.interface(nic)) for nic in guest.nics] == [(n, n) for n, _ in found]


def test_all_queues_carry_packets(guest, nic):
    name, device = guest.interface(nic), guest.virtio_device(nic)
    assert queues.carried(guest, nic, name, device) == queues.names(PAIRS)


def test_only_used_queues_carry_packets(guest, nic):
    name, device = guest.interface(nic), guest.virtio_device(nic)
    for pairs in (2, 1, 3):
        queues.use(guest, name, pairs)
        assert queues.used(guest, name) == (pairs, PAIRS)
        assert queues.stack_has(guest, name) == (pairs, pairs)
        # What was under way when the number changed.
        guest.run("sleep 0.2")
        assert queues.carried(guest, nic, name, device) == queues.names(pairs)
    exchange.everything(guest, nic)


def test_more_queues_than_cpus(guest):
    nic = guest.nics[2]
    name, device = guest.interface(nic), guest.virtio_device(nic)
    queues.use(guest, name, PAIRS + 4)
    carried = queues.carried(guest, nic, name, device)
    # A CPU sends through one queue, so there is nothing to be had from the others.
    assert len(carried) >= 2 * PAIRS, carried
    exchange.everything(guest, nic)
    queues.use(guest, name, PAIRS)


REFUSED = ["combined 0", f"combined {PAIRS + 1}", "rx 1", "tx 1", "other 1", "combined 65537", "combined 1 rx 1"]


@pytest.mark.parametrize("what", REFUSED)
def test_refused_numbers(guest, nic, what):
    name = guest.interface(nic)
    done = guest.run(f"ethtool -L {name} {what}", check=False)
    assert done.rc != 0 and "Invalid argument" in done.stderr, done
    assert queues.used(guest, name) == (PAIRS, PAIRS)


def test_one_queue_cannot_be_changed(guest):
    name = guest.interface(guest.nics[3])
    assert guest.run(f"ethtool -L {name} combined 2", check=False).rc != 0
    assert queues.used(guest, name) == (1, 1)


def carrier_changes(guest, name):
    return int(guest.read(f"/sys/class/net/{name}/carrier_changes"))


def change(guest, name, rounds):
    numbers = " ".join(["1", "4", "2", "1"] * rounds)
    guest.run(f"set -e; for n in {numbers}; do ethtool -L {name} combined $n; done", timeout=600)


def test_changes_under_traffic(guest, nic):
    """The link stays, connections do, and nothing is lost for good."""
    name = guest.interface(nic)
    before, pools = carrier_changes(guest, name), leaks.pools_in_use(guest)
    with exchange.flooded(guest, nic):
        for _ in range(5):
            change(guest, name, ROUNDS)
            exchange.reaches(nic)
            exchange.tcp_to_guest(nic.guest4, 1 << 18)
            exchange.tcp_from_guest(nic.guest6, 1 << 18)
    assert carrier_changes(guest, name) == before
    queues.use(guest, name, PAIRS)
    assert queues.carried(guest, nic, name, guest.virtio_device(nic)) == queues.names(PAIRS)
    exchange.everything(guest, nic)
    leaks.wait_for_pools(guest, pools)


def test_changes_leave_no_memory(guest):
    name = guest.interface(guest.nics[0])
    assert not leaks.of_rounds(guest, 25, lambda rounds: change(guest, name, rounds))
    queues.use(guest, name, PAIRS)


def test_change_while_down(guest, nic):
    name, device = guest.interface(nic), guest.virtio_device(nic)
    for pairs in (1, PAIRS):
        guest.run(f"ip link set {name} down && ethtool -L {name} combined {pairs}")
        assert queues.used(guest, name) == (pairs, PAIRS)
        guest.bring_up(nic)
        assert queues.carried(guest, nic, name, device) == queues.names(pairs)
    exchange.everything(guest, nic)


def test_reload_under_traffic(guest, driver):
    """All queues of all NICs, all at once."""
    with contextlib.ExitStack() as stack:
        for nic in guest.nics[:2]:
            stack.enter_context(exchange.flooded(guest, nic))
        for _ in range(3):
            driver.unload(guest)
            driver.load(guest)
            for nic in guest.nics:
                guest.bring_up(nic)
                exchange.reaches(nic)
    for nic in guest.nics[:2]:
        name, device = guest.interface(nic), guest.virtio_device(nic)
        assert queues.carried(guest, nic, name, device) == queues.names(PAIRS)
        exchange.everything(guest, nic)


# --- CPUs -------------------------------------------------------------------------


def set_cpu(guest, cpu, on):
    guest.run(f"echo {int(on)} >/sys/devices/system/cpu/cpu{cpu}/online")


def spread(guest, name, device):
    """The CPUs of the queues that are used: of their interrupts, wanted, and those that send through them."""
    used = queues.names(queues.used(guest, name)[0])
    hints = {queue: hint for queue, (_, hint) in queues.affinity(guest, device).items() if queue in used}
    return hints, queues.xps(guest, name)


def spreads(guest):
    """With different numbers of queues, and of CPUs."""
    found = []
    nics = [(guest.interface(nic), guest.virtio_device(nic)) for nic in guest.nics]

    def look(what):
        found.extend((what, name, spread(guest, name, device)) for name, device in nics)

    look("at first")
    for pairs in (1, 3, 2, PAIRS):
        queues.use(guest, nics[0][0], pairs)
        look(f"{pairs} pairs")
    for cpu, on in ((2, False), (1, False), (1, True), (2, True)):
        set_cpu(guest, cpu, on)
        look(f"CPU {cpu} {'on' if on else 'off'}")
    # A change that comes while a CPU is away.
    set_cpu(guest, 3, False)
    queues.use(guest, nics[0][0], 2)
    look("2 pairs, CPU 3 off")
    set_cpu(guest, 3, True)
    look("2 pairs, CPU 3 on")
    return found


def test_interrupt_that_is_steered_by_hand(guest, driver):
    """It stays where it is, whatever becomes of the number of queues. C takes it back."""
    if driver is drivers.C:
        pytest.skip("the C driver takes it back")
    nic = guest.nics[0]
    name, device = guest.interface(nic), guest.virtio_device(nic)
    queues.use(guest, name, PAIRS)
    before = queues.affinity(guest, device)
    file = f"/proc/irq/{queues.vectors(guest, device)['input.0']}/smp_affinity"
    now, hint = before["input.0"]
    assert now == hint
    guest.run(f"echo 6 >{file}")
    for pairs in (1, 3, PAIRS):
        queues.use(guest, name, pairs)
    assert queues.affinity(guest, device) == before | {"input.0": (now[:-1] + "6", hint)}
    # Where it goes back to where it was, it follows again.
    guest.run(f"echo {hint} >{file}")
    queues.use(guest, name, 1)
    assert queues.affinity(guest, device)["input.0"] == (now[:-1] + "f",) * 2
    queues.use(guest, name, PAIRS)
    assert queues.affinity(guest, device) == before


def test_spread_over_cpus_as_in_c(boot, driver):
    """Interrupts and transmit queues are for the CPUs that the C driver chooses, whatever CPUs there are."""
    found = []
    for one in (drivers.C, driver):
        with boot(nics=[{"queues": PAIRS}, {"queues": 2}, {"queues": PAIRS + 3}], cpus=PAIRS) as guest:
            one.load(guest)
            for nic in guest.nics:
                guest.bring_up(nic)
            found.append(spreads(guest))
            one.unload(guest)
            states = guest.read("/sys/devices/system/cpu/hotplug/states")
            assert f"virtio/net{'' if one is drivers.C else '_rust'}:online" not in states
    for of_c, ours in zip(*found, strict=True):
        assert ours == of_c


def test_cpus_come_and_go_under_traffic(guest, nic):
    """Down to one CPU, and back to all."""
    name, device = guest.interface(nic), guest.virtio_device(nic)
    before, at_first = carrier_changes(guest, name), spread(guest, name, device)
    with exchange.flooded(guest, nic):
        for _ in range(3):
            for on, cpus in ((False, (1, 3, 2)), (True, (3, 2, 1))):
                for cpu in cpus:
                    set_cpu(guest, cpu, on)
                    exchange.reaches(nic)
                exchange.tcp_to_guest(nic.guest4, 1 << 18)
                exchange.tcp_from_guest(nic.guest6, 1 << 18)
    assert carrier_changes(guest, name) == before
    assert spread(guest, name, device) == at_first
    assert queues.carried(guest, nic, name, device) == queues.names(PAIRS)
    exchange.everything(guest, nic)


def test_queues_change_while_cpus_do(guest, nic):
    name, device = guest.interface(nic), guest.virtio_device(nic)
    at_first = spread(guest, name, device)
    cycle = "while :; do echo 0 >$cpu/online; echo 1 >$cpu/online; done"
    with exchange.flooded(guest, nic), guest.spawn(f"cpu=/sys/devices/system/cpu/cpu3; {cycle}"):
        change(guest, name, ROUNDS)
        exchange.reaches(nic)
    guest.run("until echo 1 >/sys/devices/system/cpu/cpu3/online; do sleep 0.1; done")
    queues.use(guest, name, PAIRS)
    assert spread(guest, name, device) == at_first
    exchange.everything(guest, nic)


def test_both_drivers_at_once(guest, driver):
    """Neither is in the way of the other: each has its own state of CPU hotplug."""
    if driver is drivers.C:
        pytest.skip("the driver under test is the C driver itself")
    nic = guest.nics[3]
    device = guest.virtio_device(nic)
    drivers.C.load(guest)
    binding.unbind(guest, driver, device)
    binding.bind(guest, drivers.C, device)
    guest.bring_up(nic)
    exchange.everything(guest, nic)
    for on in (False, True):
        set_cpu(guest, 2, on)
    binding.unbind(guest, drivers.C, device)
    drivers.C.unload(guest)
    binding.bind(guest, driver, device)
    guest.bring_up(nic)
    exchange.everything(guest, nic)


# --- Vectors ----------------------------------------------------------------------


# With too few vectors for all queues they share one, and with fewer than two there is a line for all.
VECTORS = {"0": "line", "2": "shared", "3": "shared", "9": "own", "10": "own"}


def test_fewer_vectors_than_queues(boot, driver):
    nics = [{"queues": PAIRS, "vectors": vectors} for vectors in VECTORS]
    with boot(nics=nics, cpus=PAIRS, files=[exchange.PEER, counters.NETDEV], memory="2G") as guest:
        driver.load(guest)
        with exchange.peer_in(guest), exchange.peer_on_host():
            for nic, kind in zip(guest.nics, VECTORS.values()):
                name, device = guest.bring_up(nic), guest.virtio_device(nic)
                found = queues.vectors(guest, device)
                wanted = {"line": {device}, "shared": {"config", "virtqueues"}, "own": {"config", *queues.names(PAIRS)}}
                assert set(found) == wanted[kind]
                if driver is drivers.RUST:
                    of_rx = {"line": [device], "shared": ["virtqueues"], "own": [f"input.{i}" for i in range(PAIRS)]}[kind]
                    irqs = [context["irq"] for context in counters.contexts(guest, name)]
                    assert len(irqs) == PAIRS and set(irqs) == {found[queue] for queue in of_rx}
                for pairs in (PAIRS, 1, 2, PAIRS):
                    queues.use(guest, name, pairs)
                    queues.flows(guest, nic.host4, each=4)
                for on in (False, True):
                    set_cpu(guest, 1, on)
                    queues.flows(guest, nic.host4, each=4)
                exchange.everything(guest, nic)
        driver.unload(guest)


# --- Commands ---------------------------------------------------------------------


def feature(guest, name):
    return re.search(r"^rx-gro-hw: (.*)$", guest.run(["ethtool", "-k", name]).stdout, re.MULTILINE)[1]


def test_receive_gso_or_not(guest, nic):
    """As QEMU passes it on to the TAP."""
    name = guest.interface(nic)
    if nic.properties.get("guest_tso4") == "off":
        assert (feature(guest, name), tap_has_gso(nic)) == ("off [fixed]", False)
        return
    assert (feature(guest, name), tap_has_gso(nic)) == ("on", True)
    for on in (False, True):
        guest.run(["ethtool", "-K", name, "rx-gro-hw", "on" if on else "off"])
        assert (feature(guest, name), tap_has_gso(nic)) == ("on" if on else "off", on)
        exchange.everything(guest, nic)


@pytest.fixture(scope="module")
def faulty(boot, driver, faulty_module):
    """A guest with a driver whose commands a test can take away or have refused."""
    with boot(nics=[{"queues": PAIRS}], files=[faulty_module, exchange.PEER], cpus=PAIRS) as guest:
        driver.load(guest)
        guest.bring_up(guest.nics[0])
        with exchange.peer_in(guest), exchange.peer_on_host():
            yield guest


@pytest.mark.parametrize("before, wanted", [(PAIRS, 1), (1, PAIRS), (2, 3)])
def test_device_refuses_number(faulty, before, wanted):
    """All is as it was."""
    nic = faulty.nics[0]
    name, device = faulty.interface(nic), faulty.virtio_device(nic)
    queues.use(faulty, name, before)
    at_first = spread(faulty, name, device)
    commands.refuse(faulty, commands.QUEUES)
    done = faulty.run(f"ethtool -L {name} combined {wanted}", check=False)
    assert done.rc != 0 and "Invalid argument" in done.stderr
    # The fault is the driver's alone: QEMU has done as it was told.
    assert queues.used(faulty, name) == (before, PAIRS)
    assert queues.stack_has(faulty, name) == (before, before)
    assert spread(faulty, name, device) == at_first
    queues.use(faulty, name, before)
    queues.flows(faulty, nic.host4)
    exchange.everything(faulty, nic)


def test_device_refuses_number_at_first(faulty, driver):
    driver.unload(faulty)
    driver.load(faulty, *commands.refuse_first(commands.QUEUES))
    nic = faulty.nics[0]
    name = faulty.bring_up(nic)
    # The next one down is what it is asked for then.
    assert queues.used(faulty, name) == (PAIRS - 1, PAIRS)
    assert queues.carried(faulty, nic, name, faulty.virtio_device(nic)) == queues.names(PAIRS - 1)
    queues.use(faulty, name, PAIRS)
    assert queues.carried(faulty, nic, name, faulty.virtio_device(nic)) == queues.names(PAIRS)


def test_device_refuses_feature(faulty):
    nic = faulty.nics[0]
    name = faulty.interface(nic)
    commands.refuse(faulty, commands.OFFLOADS)
    faulty.run(f"ethtool -K {name} rx-gro-hw off", check=False)
    assert feature(faulty, name).startswith("on")
    # The line is the stack's.
    said = errors(faulty)
    assert len(said) == 1 and "set_features() failed (-22)" in said[0], said
    faulty.run(["ethtool", "-K", name, "rx-gro-hw", "on"])
    exchange.everything(faulty, nic)


def test_device_does_not_answer(faulty, driver):
    """The command ends in time, and packets flow all the while: through the queues that are left if the device does it
    after all, when it has been reminded."""
    nic = faulty.nics[0]
    name, device = faulty.interface(nic), faulty.virtio_device(nic)
    errors(faulty)
    commands.withhold(faulty, commands.QUEUES)
    done = faulty.run(f"ethtool -L {name} combined 2", check=False)
    assert done.rc != 0 and "timed out" in done.stderr, done
    assert queues.used(faulty, name) == (2, PAIRS)
    said = errors(faulty)
    assert len(said) == 1 and "VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET" in said[0], said
    queues.flows(faulty, nic.host4)
    commands.resynced(faulty)
    queues.use(faulty, name, PAIRS - 1)
    assert errors(faulty) == []
    queues.use(faulty, name, PAIRS)
    assert queues.carried(faulty, nic, name, device) == queues.names(PAIRS)
    exchange.everything(faulty, nic)


def test_limit_of_commands(faulty, driver):
    """It is the parameter's, and counts for the next command."""
    nic = faulty.nics[0]
    name = faulty.interface(nic)
    path = f"/sys/module/{driver.name}/parameters/control_timeout"
    faulty.run(f"echo 300 >{path}")
    commands.withhold(faulty, commands.QUEUES)
    done = faulty.run(f"ethtool -L {name} combined 2", check=False)
    assert done.rc != 0 and "timed out" in done.stderr, done
    said = errors(faulty)
    assert len(said) == 1 and "within 300 ms" in said[0], said
    faulty.run(f"echo 5000 >{path}")
    commands.resynced(faulty)
    queues.use(faulty, name, PAIRS)


def test_command_under_way_at_the_end(faulty, driver):
    """Its memory is given back when the device has been reset."""
    nic = faulty.nics[0]
    device = faulty.virtio_device(nic)
    commands.withhold(faulty, commands.QUEUES)
    faulty.run(f"ethtool -L {faulty.interface(nic)} combined 2", check=False)
    errors(faulty)
    binding.unbind(faulty, driver, device)
    binding.bind(faulty, driver, device)
    name = faulty.bring_up(nic)
    queues.use(faulty, name, 2)
    exchange.everything(faulty, nic)
