# SPDX-License-Identifier: GPL-2.0
"""A device that does not work any more is reset, by the driver or by others, and all is as before: nobody has to bind it again."""

import pytest

from lab import driver as drivers
from lab import kernel
from support import binding, chance, counters, exchange, faults, healing, leaks, ordered, suspend
from support.kernel_log import errors, no_errors  # noqa: F401

OFFERED = "MAC STATUS CTRL_VQ CTRL_RX CTRL_MAC_ADDR VERSION_1 MRG_RXBUF EVENT_IDX"
DEVICES = {"split": OFFERED, "packed": OFFERED + " RING_PACKED"}
NAMES = list(DEVICES)
RX, TX = 0, 1
ROUNDS = kernel.rounds(12)
NEEDS = "device says that it needs a reset"


@pytest.fixture(scope="module")
def guest(boot, driver):
    if driver is drivers.C:
        pytest.skip("the C driver does not heal")
    nics = [ordered.made(names, way="vfio-user") for names in DEVICES.values()]
    with faults.serving(boot, driver, nics, files=[leaks.POOLS]) as guest, exchange.peer_on_host():
        yield guest


@pytest.fixture(params=NAMES)
def nic(guest, request):
    nic = guest.nics[NAMES.index(request.param)]
    # What failed before is forgiven.
    healing.by_hand(guest, nic)
    pools = leaks.pools_in_use(guest)
    yield nic
    exchange.everything(guest, nic)
    leaks.wait_for_pools(guest, pools)


@pytest.mark.parametrize("under", [False, True], ids=["idle", "under traffic"])
def test_needs_reset(guest, nic, under):
    before = healing.rungs(guest, nic)
    if under:
        with exchange.flooded(guest, nic):
            nic.order("break_down")
            healing.healed(guest, nic, NEEDS)
    else:
        nic.order("break_down")
        healing.healed(guest, nic, NEEDS)
    assert nic.order("status") == healing.READY
    assert healing.rungs(guest, nic)[2:] == [before[2] + 1, before[3]]


def test_needs_reset_while_down(guest, nic):
    guest.run(["ip", "link", "set", nic.name, "down"])
    nic.order("break_down")
    faults.wait(lambda: nic.order("status") == healing.READY, "the device is not reset")
    assert len(errors(guest)) == 1
    guest.bring_up(nic)


# A receive queue has lent all that its ring has.
NOT_LENT = {"never lent": "not_lent"}
WRONG = NOT_LENT | {"out of range": {"id": 256}, "twice": "twice", "index too far": {"jump": 257}}


@pytest.mark.parametrize("queue", [RX, TX], ids=["receive", "transmit"])
@pytest.mark.parametrize("kind", WRONG)
def test_broken_queue(guest, nic, kind, queue):
    faults.skip_if_it_cannot_be(WRONG[kind], nic is guest.nics[NAMES.index("packed")])
    if kind in NOT_LENT and queue == RX:
        pytest.skip("the driver has lent all")
    faulty = nic.order("faulty")
    nic.order("faults", queue=queue, faults=[WRONG[kind]])
    ordered.receive(nic, ordered.frame(nic, 200))
    faults.wait(lambda: nic.order("faulty") > faulty, "there is no packet")
    nic.order("interrupt", queue=queue, count=1)
    if queue == TX:
        # Who polls the other queue takes back packets of this one, and finds that there are some which cannot be taken.
        ordered.receive(nic, ordered.frame(nic, 300))
    direction = "receive" if queue == RX else "transmit"
    said = faults.said(guest, healing.reset_because(nic, f"{direction} queue 0 is broken"))
    exchange.reaches(nic)
    said += errors(guest)
    assert len([line for line in said if not faults.BROKEN.search(line)]) == 1, said


@pytest.mark.parametrize("under", [False, True], ids=["idle", "under traffic"])
def test_reset_of_the_function(guest, nic, under):
    path = healing.function(guest, nic)
    for _ in range(ROUNDS // 4):
        if under:
            with exchange.flooded(guest, nic):
                healing.reset_function(guest, path)
                exchange.reaches(nic)
        else:
            healing.reset_function(guest, path)
            assert nic.order("status") == healing.READY
            exchange.reaches(nic)
    assert errors(guest) == []


def test_reset_by_hand(guest, nic):
    """Of the whole device, not of parts that cannot be reset by themselves."""
    before = asked_for(guest, nic)
    for parts in ("mac", "phy"):
        done = guest.run(["ethtool", "--reset", nic.name, parts], check=False)
        assert done.rc != 0 and "not supported" in done.stderr, done
    healing.by_hand(guest, nic, parts="dedicated")
    assert asked_for(guest, nic) == before + 1
    exchange.reaches(nic)


def asked_for(guest, nic):
    log = "dd if=/dev/kmsg bs=8192 iflag=nonblock 2>/dev/null"
    return int(guest.run(f"{log} | grep -c 'as asked for: resetting {nic.name}$' || true").stdout)


def test_set_before_it_is_reset(guest, nic):
    """Resets are a second apart, and until then the device does what it is told to."""
    before, ups = asked_for(guest, nic), f"/sys/class/net/{nic.name}/carrier_up_count"
    came_up = int(guest.read(ups))
    told = "; ".join(f"ip link set {nic.name} address 52:54:00:00:01:0{number}" for number in range(4))
    done = guest.run(f"ethtool --reset {nic.name} all && {{ {told}; }}", check=False)
    # On a slow host it comes to its reset meanwhile: then it is not there, but no setting fails.
    refused = [line for line in done.stderr.splitlines() if line.startswith("RTNETLINK") and not line.endswith("No such device")]
    assert not refused, done.stderr
    # Until then packets flow, too, and afterwards its pools are others.
    faults.wait(lambda: int(guest.read(ups)) > came_up, "it has not been reset")
    assert asked_for(guest, nic) == before + 1
    guest.run(["ip", "link", "set", nic.name, "address", nic.mac])
    exchange.reaches(nic)


def test_given_up(guest, nic):
    """A device that breaks at once each time is left alone after a few times, and tried again when somebody says so.

    Its link is down meanwhile: packets that wait for it would have the stack complain of a stuck queue.
    """
    before = healing.rungs(guest, nic)
    carrier = f"/sys/class/net/{nic.name}/carrier"

    def resets():
        return healing.rungs(guest, nic)[2] - before[2]

    def given_up():
        if nic.order("status") == healing.READY:
            nic.order("break_down")
        return healing.rungs(guest, nic)[3] > before[3]

    faults.wait(given_up, "it is not given up", kernel.patient(60))
    # The first one is a failure of the reset by hand, if that was just before.
    count = resets()
    assert count in (4, 5)
    said = errors(guest)
    steps = [line for line in said if f": resetting {nic.name}" in line or "giving up" in line]
    assert len(steps) == count + 1 and "giving up" in steps[-1], said
    # Settings that it does not answer as it breaks again are also told, and nothing else.
    assert all(chance.SAID.search(line) for line in said if line not in steps), said
    # It stays so.
    guest.run("sleep 1.5")
    assert nic.order("status") != healing.READY and resets() == count
    assert guest.read(carrier).strip() == "0"
    healing.by_hand(guest, nic)


def test_unbound_meanwhile(guest, driver, nic):
    """The reset is not begun, or ends before."""
    device, path = guest.virtio_device(nic), healing.function(guest, nic)
    for number in range(ROUNDS // 2):
        if number % 2:
            nic.order("break_down")
            binding.unbind(guest, driver, device)
        else:
            # It is bound again when the function has been reset: the core of virtio would find what cannot be read then.
            unbind = f"echo {device} >{binding.BUS}/drivers/{driver.name}/unbind"
            guest.run(f"echo flr >{path}/reset_method; echo 1 >{path}/reset & {unbind}; wait")
        # The core of virtio does not acknowledge a device twice whose function is reset while nobody has it.
        nic.order("violations")
        binding.bind(guest, driver, device)
        nic.name = guest.bring_up(nic)
        exchange.reaches(nic)
    nic.order("violations")
    assert all("needs a reset" in line for line in errors(guest))


def test_sleeps_meanwhile(guest, nic):
    nic.order("break_down")
    suspend.to_sleep(guest)
    exchange.reaches(nic)
    assert len(errors(guest)) <= 1


def test_all_that_is_set(guest, nic):
    """Stays, as when the machine sleeps, which is the same transition."""
    name = nic.name
    guest.run(f"ip link set {name} mtu 1400 promisc on && ip maddress add 01:00:5e:7f:00:07 dev {name}")
    show = f"ip -details -oneline link show {name}; ip maddress show dev {name}; ethtool -k {name}; ethtool -g {name}; ethtool -c {name}"
    before = guest.run(show).stdout, nic.order("filters")
    nic.order("break_down")
    healing.healed(guest, nic, NEEDS)
    assert (guest.run(show).stdout, nic.order("filters")) == before
    guest.run(f"ip link set {name} mtu 1500 promisc off && ip maddress del 01:00:5e:7f:00:07 dev {name}")


def test_counters_are_shown(guest, nic):
    names = (*healing.RUNGS, "watchdog_abandoned")
    found = list(counters.ethtool(guest, nic.name))
    place = found.index(names[0])
    behind = place + len(names)
    assert tuple(found[place:behind]) == names
    assert found[place - 1].startswith("tx_") and found[behind].startswith("rx0_")
