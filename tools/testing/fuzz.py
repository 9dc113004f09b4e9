# SPDX-License-Identifier: GPL-2.0
"""`make fuzz SECONDS=n SEED=m`: a device that does wrong by chance, and a guest that has to carry traffic through it.

What is wrong with the n-th packet of a queue in a round follows from the seed, and so does the n-th command with what
becomes of it: the same seed makes the same faults. How many there are in the end is up to the machine. Rounds are of
three kinds in turn: in the first the driver gets as many packets as it can take, in the second also commands go wrong,
and in the third it loses queues, and all devices are bound again. In each, a device may have an XDP program of any verdict.
"""

import random
import re
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from lab import driver, kernel, xdp
from lab.guest import Guest
from support import binding, bpf, chance, counters, exchange, faults, kmemleak, leaks, limit, ordered
from support.kernel_log import errors

PLAIN = "MAC STATUS CTRL_VQ VERSION_1 CSUM GUEST_CSUM"
TUNNELS = " GUEST_UDP_TUNNEL_GSO GUEST_UDP_TUNNEL_GSO_CSUM"
GUEST_GSO = " GUEST_TSO4 GUEST_TSO6 GUEST_USO4 GUEST_USO6"
HASHES = {"key_size": 40, "table_size": 8, "hash_types": 0x1FF}
DEVICES = {
    "small": (PLAIN, {}),
    "chained": (PLAIN + " GUEST_TSO4 HOST_TSO4 INDIRECT_DESC EVENT_IDX", {}),
    "mergeable, commands": (PLAIN + " MRG_RXBUF EVENT_IDX MQ " + chance.OFFERED, {"pairs": 2, "mtu": 1500}),
    "packed, mergeable, commands": (PLAIN + " RING_PACKED MRG_RXBUF EVENT_IDX " + chance.OFFERED, {"mtu": 1500}),
    "mergeable, GSO, hashes": (PLAIN + " GUEST_TSO4 GUEST_TSO6 MRG_RXBUF HASH_REPORT INDIRECT_DESC", HASHES),
    "mergeable, tunnels, commands, pci": (
        PLAIN + GUEST_GSO + TUNNELS + " MRG_RXBUF EVENT_IDX " + chance.OFFERED,
        {"way": "vfio-user", "mtu": 1500},
    ),
}
# What becomes of the frames of the flood, among others that they are sent back.
PROGRAMS = (None, "pass_frags", "drop", "aborted", "unknown", "tx_frags", "itself_frags", "push", "grow", "shrink_frags", "meta")
PACKETS, COMMANDS, BREAKING = range(3)
# In seconds.
LASTS = {PACKETS: kernel.patient(20), COMMANDS: 20, BREAKING: 3}
ONE_IN = 2
# How many packets a device has for the guest. Nothing else would come to an end beside those without end.
ENDLESS, SOME = 1 << 40, 200
RX = 0
# What may be said: of what is wrong with commands, by the watchdog while a device ignores kicks or waits for its turn to
# be bound again, and by the virtio core of a queue that is lost.
SAID = re.compile(rf"{chance.SAID.pattern}|{faults.WATCHDOG.pattern}")
LOST = re.compile(rf"{SAID.pattern}|{faults.BROKEN.pattern}|{chance.REFUSED.pattern}")
ALLOWED = {PACKETS: None, COMMANDS: SAID, BREAKING: LOST}


def faulty(guest):
    return sum(nic.order("faulty") for nic in guest.nics)


def interrupt(nic):
    """Whoever waits for an interrupt that was lost waits no longer."""
    for queue in range(2 * nic.pairs):
        nic.order("interrupt", queue=queue, count=1)


def attach(guest, by_chance):
    """Each device has one program or none. One that cannot be told to leave packets as they are refuses all."""
    for nic in guest.nics:
        if program := by_chance.choice(PROGRAMS):
            xdp.attach(guest, guest.interface(nic), program, check=False)


def round_of(guest, seed, kind):
    """Faults for a while, under traffic to the guest and back. Returns how many commands there were meanwhile."""
    by_chance = random.Random(seed)
    commanded = [nic for nic in guest.nics if chance.is_commanded(nic)]
    frames = [ordered.frame(nic, by_chance.choice((60, 500, 1514))).hex() for nic in guest.nics]

    attach(guest, by_chance)

    def flood(count):
        for nic, frame in zip(guest.nics, frames, strict=True):
            nic.order("flood", queue=RX, bytes=frame, count=count)

    for number, nic in enumerate(guest.nics):
        choice = {"seed": seed + number, "one_in": ONE_IN, "breaking": kind == BREAKING}
        nic.order("random", choice=choice)
    commands = 0
    if kind != COMMANDS:
        flood(ENDLESS)
    end = time.monotonic() + LASTS[kind]
    while time.monotonic() < end:
        if kind == COMMANDS:
            flood(SOME)
            commands += chance.step(guest, by_chance.choice(commanded), by_chance)
        else:
            time.sleep(0.5)
        for nic in guest.nics:
            interrupt(nic)
    for nic in guest.nics:
        nic.order("random", choice=None)
    flood(0)
    return commands


def well(guest, allowed=None):
    """No complaint of the kernel's and no error in the log that is not `allowed`, and no rule of virtio broken."""
    said = errors(guest) + guest.new_kernel_reports()
    said = [line for line in said if not (allowed and allowed.search(line))]
    said += [str(one) for nic in guest.nics for one in nic.order("violations")]
    if said:
        sys.exit("\n".join(["the guest is not well:", *said]))


def flows(guest):
    for nic in guest.nics:
        exchange.reaches(nic)
        exchange.everything(guest, nic)


def fuzz(guest, chosen, seconds, seed):
    end = time.monotonic() + seconds
    number = commands = 0
    while time.monotonic() < end:
        kind = number % 3
        number += 1
        commands += round_of(guest, seed + 1000 * number, kind)
        configurations = random.Random(seed + number)
        for nic in guest.nics:
            if kind == BREAKING:
                chance.bind_again(guest, chosen, nic, configurations)
            interrupt(nic)
            if kind == COMMANDS and chance.is_commanded(nic):
                chance.behave(guest, nic)
            xdp.detach(guest, guest.interface(nic))
            exchange.reaches(nic)
        well(guest, ALLOWED[kind])
        print(f"round {number}: {faulty(guest)} faults and {commands} commands so far", flush=True)


def main(seconds, seed):
    seed = int(seed) if seed else random.SystemRandom().randrange(1 << 32)
    print(f"SEED={seed}", flush=True)
    chosen = driver.chosen()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        nics = [ordered.made(names, **config) for names, config in DEVICES.values()]
        files = [*chosen.payload(folder), exchange.PEER, counters.NETDEV, bpf.build("xdp", folder)]
        guest = stack.enter_context(Guest(nics=nics, files=files, leaks=True, shared_memory=True))
        limit.load(guest, chosen, chance.LIMIT)
        xdp.load(guest)
        guest.run(["modprobe", "8021q"])
        faults.bring_up(guest)
        with exchange.peer_in(guest):
            fuzz(guest, chosen, int(seconds or 60), seed)
            flows(guest)
        # On a slow kernel its socket is full for long, and the packets there are in pages of the pools.
        for nic in guest.nics:
            binding.unbind(guest, chosen, guest.virtio_device(nic))
        leaks.wait_for_pools(guest, 0)
        if guest.leaks:
            kmemleak.nothing_leaked(guest)
        well(guest)
        print(f"SEED={seed}: {faulty(guest)} faults, and traffic flows")


main(*sys.argv[1:])
