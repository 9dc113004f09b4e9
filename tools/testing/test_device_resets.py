# SPDX-License-Identifier: GPL-2.0
"""Devices that break, and whose functions are reset, at any moment under traffic, whatever is done to them meanwhile: each comes
back, with all that was set, and nothing has leaked."""

import os
import random
import re
import time

import pytest

from lab import driver as drivers
from lab import kernel, xdp
from lab.agent import CommandFailed
from support import binding, bpf, chance, drawn, exchange, faults, healing, leaks, ordered, suspend
from support.kernel_log import errors, no_errors  # noqa: F401

DEVICES = {"split": (drawn.PAIRS, ""), "packed": (3, " RING_PACKED RING_RESET")}
RX, TX = 0, 1
PROGRAMS = (None, "pass_frags", "tx_frags", "drop")
# How often each of these happens at least. CYCLES says another number.
KINDS = NEEDS_RESET, BROKEN, FUNCTION = "needs reset", "broken queue", "function"
CYCLES = int(os.environ.get("CYCLES") or kernel.rounds(12))
# How many settings there are before a fault, and beside faults: some of these, which come so many seconds apart at most. With the debug
# kernel as well, so that they fall into all that takes longer there.
BEFORE, BESIDE, APART = 4, 16, 0.5
# What may be said of such a device.
SAID = re.compile(rf": (resetting|giving up) |is broken, no resize to |{faults.BROKEN.pattern}|{chance.SAID.pattern}")


@pytest.fixture(scope="module")
def guest(boot, driver, tmp_path_factory):
    if driver is drivers.C:
        pytest.skip("the C driver does not heal")
    nics = [
        ordered.made(drawn.OFFERED + more, pairs, way="vfio-user", **drawn.CONFIG) for pairs, more in DEVICES.values()
    ]
    files = [leaks.POOLS, bpf.build("xdp", tmp_path_factory.mktemp("bpf"))]
    with faults.serving(boot, driver, nics, files=files, leaks=True) as guest, exchange.peer_on_host():
        xdp.load(guest)
        yield guest


class Faults:
    """Those that have happened so far, by kind."""

    def __init__(self, guest):
        self.guest = guest
        self.count = dict.fromkeys(KINDS, 0)

    def enough(self):
        return min(self.count.values()) >= CYCLES

    def next(self, by_chance):
        """One of those kinds that there were fewest of so far, mostly."""
        fewest = min(self.count, key=self.count.get)
        return by_chance.choice((fewest, *KINDS))

    def happens(self, nic, kind, by_chance):
        if kind == NEEDS_RESET:
            nic.order("break_down")
        elif kind == BROKEN:
            before = nic.order("faulty")
            queue = by_chance.choice((RX, TX))
            nic.order("faults", queue=queue, faults=[{"id": 300}])
            time.sleep(by_chance.random() * APART)
            if nic.order("faulty") == before:
                return
        else:
            # Its registers cannot be read meanwhile by somebody who binds it.
            self.guest.run(f"echo 1 >{nic.function}/reset", timeout=suspend.TIMEOUT)
        self.count[kind] += 1


def settings(nic, by_chance):
    """Lines for the shell."""
    lines = drawn.settings(nic, by_chance, BESIDE)
    program = by_chance.choice(PROGRAMS)
    attach = f"xdpdrv pinned {xdp.MOUNTED}/xdp/{program}" if program else "xdpdrv off"
    lines.insert(by_chance.randrange(len(lines) + 1), f"ip -force link set dev {nic.name} {attach}")
    return lines


def back(guest, nic):
    """It is up, and all flows, by hand if it has been given up."""
    for queue in range(2 * nic.pairs):
        nic.order("faults", queue=queue, faults=[])
    up = f"ip link set {nic.name} up mtu 1500 && ip link set dev {nic.name} xdpdrv off"
    faults.wait(lambda: guest.run(up, check=False).rc == 0, f"{nic.name} is not there")

    if nic.order("status") != healing.READY:
        try:
            guest.wait_for_carrier(nic.name, True, timeout=10)
        except CommandFailed:
            assert guest.run(["ethtool", "--reset", nic.name, "all"], check=False).rc == 0
    guest.wait_for_carrier(nic.name, True)
    exchange.reaches(nic)


def broken_while_set(guest, driver, seen, nic, by_chance):
    """Settings, and faults beside them; it may be bound again meanwhile, and the guest may sleep."""
    happens = by_chance.randrange(8)
    if happens == 0:
        device = guest.virtio_device(nic)
        unbind = f"echo {device} >{binding.BUS}/drivers/{driver.name}/unbind"
        if by_chance.randrange(2):
            guest.run(f"echo 1 >{nic.function}/reset & {unbind}; wait")
            seen.count[FUNCTION] += 1
        else:
            nic.order("break_down")
            guest.run(unbind)
            seen.count[NEEDS_RESET] += 1
        binding.bind(guest, driver, device)
        nic.name = guest.bring_up(nic)
        # The core of virtio does not acknowledge a device twice whose function is reset while nobody has it.
        broken = nic.order("violations")
        assert all(one["section"] == "3.1.1" for one in broken), broken
    elif happens == 1:
        seen.happens(nic, NEEDS_RESET, by_chance)
        suspend.to_sleep(guest)
    else:
        with guest.spawn(["sh", "-c", "\n".join(settings(nic, by_chance))]) as setting:
            while setting.ended(0) is None:
                seen.happens(nic, seen.next(by_chance), by_chance)
                time.sleep(by_chance.random() * APART)


def shown(guest, nic):
    """What the traffic moves, if it may, is left out."""
    lines = drawn.shown(guest, nic)
    adaptive = any(line.startswith("Adaptive RX: on") for line in lines)
    return [line for line in lines if not (adaptive and re.match("rx-(usecs|frames):", line))]


def broken_and_compared(guest, seen, nic, by_chance):
    """All that is set is so afterwards."""
    guest.run("\n".join(drawn.settings(nic, by_chance, BEFORE)), check=False, timeout=exchange.TIMEOUT * BEFORE)
    back(guest, nic)
    before = shown(guest, nic)
    seen.happens(nic, seen.next(by_chance), by_chance)
    back(guest, nic)
    assert shown(guest, nic) == before


@pytest.mark.parametrize("seed", drawn.seeds(), ids=["drawn"])
def test_at_any_moment(guest, driver, seed):
    print(f"SEED={seed}")
    by_chance = random.Random(seed)
    pools = leaks.pools_in_use(guest)
    seen = Faults(guest)
    for nic in guest.nics:
        nic.function = healing.function(guest, nic)
        guest.run(f"echo flr >{nic.function}/reset_method")
    while not seen.enough():
        nic = by_chance.choice(guest.nics)
        with exchange.flooded(guest, nic):
            if by_chance.randrange(3):
                broken_while_set(guest, driver, seen, nic, by_chance)
            else:
                broken_and_compared(guest, seen, nic, by_chance)
            back(guest, nic)
        said = [line for line in errors(guest) if not SAID.search(line)]
        assert not said, said
        assert guest.new_kernel_reports() == []
        print(seen.count, flush=True)
    for nic in guest.nics:
        back(guest, nic)
        guest.bring_up(nic)
        exchange.everything(guest, nic)
        faults.bind_again(guest, driver, nic)
    leaks.wait_for_pools(guest, pools)
