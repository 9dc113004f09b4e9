# SPDX-License-Identifier: GPL-2.0
"""The queues of a NIC: how many are used, their interrupts and CPUs, and packets through each of them."""

import json
import re

from lab.agent import PYTHON
from support import nics, peer

ATTEMPTS = 3
# Each datagram is sent until it comes back: sent once, one of many may be lost.
SCRIPT = """
import itertools, json, os, socket, sys
port, count, cpus, *addresses = int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]), *sys.argv[4:]
for cpu, address, i in itertools.product(cpus, addresses, range(count)):
    os.sched_setaffinity(0, [cpu])
    flow = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    flow.connect((address, port))
    flow.settimeout(1)
    for attempt in range(20):
        try:
            flow.send(b"flow")
            flow.recv(100)
            break
        except (TimeoutError, ConnectionRefusedError):
            pass
    else:
        sys.exit(f"flow {i} to {address}: no answer")
"""


def used(guest, name):
    """How many pairs of queues an interface uses, and how many there are."""
    text = guest.run(["ethtool", "-l", name]).stdout
    most, now = re.findall(r"Combined:\s+(\d+)", text)
    return int(now), int(most)


def use(guest, name, pairs):
    guest.run(["ethtool", "-L", name, "combined", pairs])


def stack_has(guest, name):
    """How many queues of each direction the stack has for an interface."""
    text = guest.run(["ls", f"/sys/class/net/{name}/queues"]).stdout.split()
    return len([queue for queue in text if queue.startswith("rx-")]), len([q for q in text if q.startswith("tx-")])


def counts(guest, device):
    """Interrupts of each queue, by its name."""
    found = {}
    for line in nics.interrupts(guest, device):
        words = line.split()
        found[words[-1].removeprefix(f"{device}-")] = sum(int(word) for word in words[1:] if word.isdigit())
    return found


def vectors(guest, device):
    """The number of each queue's interrupt."""
    return {
        line.split()[-1].removeprefix(f"{device}-"): int(line.split(":")[0])
        for line in nics.interrupts(guest, device)
    }


def affinity(guest, device):
    """The CPUs of each queue's interrupt: where it goes, and where the driver wants it."""
    text = guest.run("cd /proc/irq; grep . [0-9]*/smp_affinity [0-9]*/affinity_hint").stdout
    cpus = dict(line.split(":") for line in text.splitlines())
    return {
        queue: (cpus[f"{number}/smp_affinity"], cpus[f"{number}/affinity_hint"])
        for queue, number in vectors(guest, device).items()
    }


def xps(guest, name):
    """The CPUs that send through each transmit queue."""
    lines = guest.run(f"cd /sys/class/net/{name}/queues; grep -H . tx-*/xps_cpus").stdout
    return {line.split("/")[0]: line.split(":")[1] for line in lines.splitlines()}


def online(guest):
    """The CPUs of the guest that are online."""
    cpus = []
    for part in guest.read("/sys/devices/system/cpu/online").strip().split(","):
        first, _, last = part.partition("-")
        cpus += range(int(first), int(last or first) + 1)
    return cpus


def flows(guest, *addresses, each=8):
    """Datagrams of many flows from each CPU to the peer on the host and back: a NIC spreads them over its queues."""
    script = guest.script("flows.py", SCRIPT)
    guest.run([*PYTHON, script, peer.PORT, each, json.dumps(online(guest)), *addresses], timeout=120)


def carried(guest, nic, name, device):
    """The queues that had interrupts while many flows went through a NIC. The peer serves on the host.

    A transmit queue may have none, if what was sent is found to be done before it is asked for: then there are more flows.
    """
    before = counts(guest, device)
    for _ in range(ATTEMPTS):
        flows(guest, nic.host4, nic.host6)
        after = counts(guest, device)
        found = {queue for queue in after if after[queue] > before[queue]}
        pairs = [{queue.split(".")[1] for queue in found if queue.startswith(kind)} for kind in ("input", "output")]
        if pairs[0] == pairs[1]:
            break
    return found


def names(pairs):
    return {f"{kind}.{i}" for kind in ("input", "output") for i in range(pairs)}
