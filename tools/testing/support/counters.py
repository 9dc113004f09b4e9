# SPDX-License-Identifier: GPL-2.0
"""The counters of a guest's interface, as each of the kernel's interfaces shows them."""

import json
import re
from pathlib import Path

from lab.agent import PYTHON
from support import netdev as netdev_program

NETDEV = Path(netdev_program.__file__)
COMMAND = [*PYTHON, f"/payload/{NETDEV.name}"]


def netdev(guest, *words):
    """What NETDEV prints. It must be among the files of the guest."""
    return json.loads(guest.run([*COMMAND, *words]).stdout)


def index(guest, name):
    return int(guest.read(f"/sys/class/net/{name}/ifindex"))


def contexts(guest, name):
    """The NAPI contexts that the stack knows of an interface."""
    number = index(guest, name)
    return [found for found in netdev(guest, "contexts") if found["ifindex"] == number]


def of_device(guest, name):
    """The sums that netlink has, by the kernel's names."""
    number = index(guest, name)
    (found,) = [found for found in netdev(guest, "sums") if found["ifindex"] == number]
    return {counter: value for counter, value in found.items() if counter != "ifindex"}


def of_queues(guest, name):
    """The counters of each queue that is used: {"rx0": {...}, "tx0": {...}}."""
    number = index(guest, name)
    return {
        found["queue"]: {counter: value for counter, value in found.items() if counter not in ("ifindex", "queue")}
        for found in netdev(guest, "queues")
        if found["ifindex"] == number
    }


def ethtool(guest, name, timeout=60):
    """What `ethtool -S` shows, in its order."""
    text = guest.run(["ethtool", "-S", name], timeout).stdout
    return {counter: int(value) for counter, value in re.findall(r"^ +(\S+): (\d+)$", text, re.MULTILINE)}


def that_c_has(counted):
    """Without those of the watchdog, which are between the sums and the queues."""
    return {counter: value for counter, value in counted.items() if not counter.startswith("watchdog_")}


def link(guest, name):
    """The files in sysfs: what `ip -s` shows."""
    return {file: int(value) for file, value in guest.contents(f"/sys/class/net/{name}/statistics").items()}
