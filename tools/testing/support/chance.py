# SPDX-License-Identifier: GPL-2.0
"""What a device does wrong by chance with commands and with its configuration: the same seed has the same in the same order."""

import re
import struct

from lab import kernel
from support import binding, device_stats, exchange, faults, filters, limit

# What these commands are for.
OFFERED = "CTRL_RX CTRL_VLAN CTRL_MAC_ADDR CTRL_GUEST_OFFLOADS GUEST_ANNOUNCE MTU NOTF_COAL VQ_NOTF_COAL DEVICE_STATS"
# The number of one of them.
CTRL_VLAN = 19
# So many at a time: much of what one takes is that the guest comes to know of it.
COUNT = 4
# In milliseconds.
LIMIT = 500
# In seconds: the longest pause until the driver resynchronises it.
RESYNC = 64 + exchange.TIMEOUT
# What the log says of what such a device does.
SAID = re.compile(r"virtio\d+: (device|control queue) |set_features\(\) failed|not as before: |rx_mode retry")
# A device that has fewer queues than it says is no use to any driver.
REFUSED = re.compile(r"probe with driver \S+ failed|failed to bind|cannot set up virtqueues: Error\(22\)")
OTHER, GROUP, VLAN = "02:00:00:00:00:55", "33:33:00:00:00:77", 7
COMMANDS = (
    "ip link set NIC promisc on",
    "ip link set NIC promisc off",
    "ip link set NIC allmulticast on",
    "ip link set NIC allmulticast off",
    f"ip link set NIC address {OTHER}",
    "ip link set NIC address MAC",
    f"ip maddr add {GROUP} dev NIC",
    f"ip maddr del {GROUP} dev NIC",
    f"ip link add link NIC name NIC.{VLAN} type vlan id {VLAN}",
    f"ip link delete NIC.{VLAN}",
    "ethtool -C NIC rx-usecs 9 tx-usecs 9",
    "ethtool -C NIC rx-usecs 0 tx-usecs 0",
    "ethtool -C NIC adaptive-rx on",
    "ethtool -C NIC adaptive-rx off",
    "ethtool -Q NIC queue_mask 0x1 --coalesce rx-usecs 5",
    "ethtool -K NIC rx-gro-hw off",
    "ethtool -K NIC rx-gro-hw on",
    "ethtool -L NIC combined 1",
    "ethtool -L NIC combined 2",
    "ethtool -S NIC",
)
# What is so at first, and has to become so again.
FIRST = (
    "ip link set NIC promisc off",
    "ip link set NIC allmulticast off",
    "ip link set NIC address MAC",
    "ethtool -C NIC adaptive-rx off",
    "ethtool -C NIC rx-usecs 0 tx-usecs 0",
)
# Where it is in the configuration, and what it may be.
STATUS, PAIRS, MTU, SPEED, SIZES = 6, 8, 10, 12, 17
CONFIGURATION = (
    (STATUS, "<H", (0, 1, 2, 3, 0xFFFC, 0xFFFF)),
    (PAIRS, "<H", (0, 1, 2, 3, 0x8000, 0x8001, 0xFFFF)),
    (MTU, "<H", (0, 67, 68, 576, 9000, 0xFFFF)),
    (SPEED, "<I", (0, 10, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)),
    (SIZES, "<I", (0, 0x0000_0028, 0x0001_0028, 0x0080_0027, 0xFFFF_FFFF)),
)


def statistics(chance):
    """An answer with entries that say what they like of themselves."""
    kinds = [*device_stats.RX, *device_stats.TX, *device_stats.CONTROL, 4, 255]
    sizes = (0, 1, 8, 16, 24, 56, 0xFFFF, None)
    entries = (
        device_stats.entry(chance.choice((0, 1, 2, 3, 4, 0xFFFF)), chance.choice(kinds), range(6), chance.choice(sizes))
        for _ in range(chance.randrange(6))
    )
    return b"".join(entries)


def answer(chance):
    """One in two is as it has to be, but for what the device has counted."""
    wrong = (
        {"ack": 1},
        {"ack": 255},
        {"written": chance.choice((0, 2, 7, 0xFFFF, 0xFFFFFFFF))},
        {"delay_ms": 20},
        {"withheld": True},
        {"body": statistics(chance).hex()},
    )
    return chance.choice(wrong) if chance.randrange(2) else {}


def is_commanded(nic):
    return CTRL_VLAN in nic.settings["features"]


def run(guest, nic, command):
    words = command.replace("NIC", nic.name).replace("MAC", nic.mac)
    return guest.run(words, timeout=kernel.patient(limit.HANGS), check=False).rc == 0


def change(nic, chance):
    """Some of the configuration is another. Returns which."""
    offset, layout, values = chance.choice(CONFIGURATION)
    nic.order("configure", offset=offset, bytes=struct.pack(layout, chance.choice(values)).hex())
    return offset


def step(guest, nic, chance):
    """Commands, with what the device makes of them, and what it comes up with meanwhile. Returns how many there were."""
    queue = chance.randrange(2 * nic.pairs + 1)
    nic.order("script", answers=[answer(chance) for _ in range(4 * COUNT)])
    if chance.randrange(4) == 0:
        change(nic, chance)
    if chance.randrange(4) == 0:
        # It ignores kicks for so long.
        nic.order("stop", queue=queue, on=True)
    run(guest, nic, "; ".join(chance.choices(COMMANDS, k=COUNT)))
    nic.order("stop", queue=queue, on=False)
    if chance.randrange(2):
        nic.order("release")
    return COUNT


def behave(guest, nic):
    """The device does as it is told from now on, and is resynchronised with all that is so in the guest."""
    nic.order("script", answers=[])
    nic.order("release")
    nic.order("configure", bytes=nic.config.hex())
    run(guest, nic, f"ip link delete NIC.{VLAN}")
    for command in FIRST:
        faults.wait(lambda command=command: run(guest, nic, command), f"{nic.name} does not take: {command}")
    filters.becomes(lambda: nic.order("filters"), RESYNC, promiscuous=False, all_multicast=False, vlans=[0])
    guest.wait_for_carrier(nic.name, True)


def bind_again(guest, driver, nic, chance):
    """First while much of the configuration is another, which the driver may refuse, and then as it has to be."""
    virtio = guest.virtio_device(nic)
    binding.unbind(guest, driver, virtio)
    changed = {change(nic, chance) for _ in range(3)}
    if binding.bind(guest, driver, virtio, check=False):
        binding.unbind(guest, driver, virtio)
    if PAIRS in changed:
        # Where the control queue is follows from that number: what is sent through it comes to one for packets.
        nic.order("violations")
    nic.order("configure", bytes=nic.config.hex())
    binding.bind(guest, driver, virtio)
    nic.name = guest.bring_up(nic)
