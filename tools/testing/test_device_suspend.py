# SPDX-License-Identifier: GPL-2.0
"""After the machine has slept, all that was set in a device is restored, and nothing else; and all that can be set
is as it was, in whatever order it was set."""

import random
import re

import pytest

from lab import driver as drivers
from support import device_stats, drawn, exchange, faults, ordered, suspend
from support.kernel_log import no_errors  # noqa: F401
from support.kernels import all_only

# How many settings are drawn before the machine sleeps.
DRAWN = 12
VLAN_ADD, VLAN_DEL = (2, 0), (2, 1)
# What is no setting: acknowledging an announcement, and asking for statistics.
ANNOUNCE_ACK, QUERY = (3, 0), tuple(device_stats.QUERY.values())
# Of all transmit queues, of all receive queues, of one queue.
TX_SET, RX_SET, VQ_SET = (6, 0), (6, 1), (6, 2)
# What is changed from what it is at first; each is another thing that the device is told.
CHANGES = """
ip link set NIC address 02:00:00:00:00:66
ip link set NIC promisc on
ip link set NIC allmulticast on
bridge fdb add 02:00:00:00:00:07 dev NIC self
ip link add link NIC name above type vlan id 7
ip link add link NIC name beyond type vlan id 4094
ethtool -K NIC rx-gro-hw off
ethtool -X NIC equal 1
ethtool -X NIC hkey HKEY
ethtool -L NIC combined 1
ethtool -N NIC rx-flow-hash udp4 sd
ethtool -C NIC rx-usecs 10 rx-frames 4 tx-usecs 20 tx-frames 8
ethtool -Q NIC queue_mask 0x2 --coalesce rx-usecs 30 rx-frames 5 tx-usecs 40 tx-frames 9
"""
SHOWN = """
ip -details -oneline link show NIC
ethtool -x NIC
ethtool -l NIC
ethtool -n NIC rx-flow-hash udp4
ethtool -c NIC
ethtool -Q NIC queue_mask 0x3 --show-coalesce
ethtool -k NIC
bridge fdb show dev NIC
"""


@pytest.fixture(scope="module")
def guest(boot, driver):
    if driver is drivers.C:
        pytest.skip("the C driver loses most of it")
    nics = drawn.nics()
    with boot(nics=nics, files=[exchange.PEER], shared_memory=True) as guest:
        nics[0].order("body", **device_stats.QUERY, body=device_stats.capabilities(device_stats.CONTROL))
        driver.load(guest)
        guest.run(["modprobe", "8021q"])
        faults.bring_up(guest)
        with exchange.peer_in(guest):
            yield guest


@pytest.fixture
def nic(guest):
    """The one that all is set of."""
    return guest.nics[0]


def state_after(nic, state):
    """What holds after the commands since the last call, if `state` did before: by command, what follows it."""
    for code, body in ordered.commands(nic):
        if code in (VLAN_ADD, VLAN_DEL):
            state.pop((VLAN_ADD, body), None)
            if code == VLAN_ADD:
                state[VLAN_ADD, body] = True
        elif code == VQ_SET:
            state[code, body[:8]] = body[8:]
        elif code not in (ANNOUNCE_ACK, QUERY):
            state[code] = body
        if code in (TX_SET, RX_SET):
            for queue in range(int(code == TX_SET), 2 * drawn.PAIRS, 2):
                state[VQ_SET, f"{queue:02x}000000"] = body
    return state


def each(guest, nic, lines):
    """Runs the lines one by one, and yields what they print."""
    key = ":".join(f"{number:02x}" for number in range(drawn.KEY))
    for line in lines.strip().splitlines():
        yield guest.run(re.sub(r"\bNIC\b", guest.interface(nic), line).replace("HKEY", key)).stdout


def test_everything_is_restored(guest, nic):
    before = state_after(nic, {})
    for _ in each(guest, nic, CHANGES):
        # Filters are told of by a work, later.
        after = dict(before)
        faults.wait(lambda after=after, before=before: state_after(nic, after) != before, "the device is not told")
        before = after
    shown = list(each(guest, nic, SHOWN))
    suspend.to_sleep(guest)
    exchange.reaches(nic)
    assert state_after(nic, {}) == before
    assert list(each(guest, nic, SHOWN)) == shown
    exchange.everything(guest, nic)


def test_counters_and_adapting_go_on(guest, nic):
    """What the device counts has the same names, and what adapts still does."""
    name = guest.interface(nic)
    guest.run(["ethtool", "-C", name, "adaptive-rx", "on"])
    names = guest.run(f"ethtool -S {name} | cut -d: -f1").stdout
    suspend.to_sleep(guest)
    exchange.reaches(nic)
    assert guest.run(f"ethtool -S {name} | cut -d: -f1").stdout == names and "cq_hw_ok_num" in names
    assert "Adaptive RX: on" in guest.run(["ethtool", "-c", name]).stdout
    exchange.everything(guest, nic)


# In the first, NAPI is off for what is sent with the interface up, and in the second it is not as the module says.
FIXED = [pytest.param(seed, marks=all_only("what is drawn is another each time")) for seed in (5, 1)]


@pytest.mark.parametrize("seed", drawn.seeds(*FIXED), ids=["first", "second", "drawn"])
def test_whatever_is_set(guest, seed):
    """With the interface up or down, and what is set then or before. The machine sleeps twice."""
    print(f"seed {seed}")
    chance = random.Random(seed)
    for nic in guest.nics:
        lines = drawn.settings(nic, chance, DRAWN)
        print(*lines, sep="\n")
        guest.run("\n".join(lines), check=False)
    before = [drawn.shown(guest, nic) for nic in guest.nics]
    for _ in range(2):
        suspend.to_sleep(guest)
        assert [drawn.shown(guest, nic) for nic in guest.nics] == before
    for nic in guest.nics:
        if drawn.is_up(guest, nic):
            exchange.reaches(nic)


def test_traffic_after_that(guest):
    for nic in guest.nics:
        guest.run(["ip", "link", "set", nic.name, "mtu", 1500])
        guest.bring_up(nic)
        exchange.reaches(nic)
        exchange.everything(guest, nic)
