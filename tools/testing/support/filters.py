# SPDX-License-Identifier: GPL-2.0
"""What the guest wants to receive: addresses, groups and VLANs, and that the device comes to know of it."""

import json
import time
from contextlib import contextmanager

from support import exchange


def address(number):
    return f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"


def group(number):
    return f"01:00:5e:7f:{number >> 8:02x}:{number & 255:02x}"


def change(guest, kind, action, name, numbers):
    """Adds addresses to the filter of an interface, or deletes them."""
    if kind is address:
        lines = [f"fdb {action} {address(number)} dev {name} self" for number in numbers]
        guest.run(["bridge", "-batch", "-"], input="\n".join(lines).encode())
    else:
        # In a batch, `ip` forgets all but the first one.
        groups = " ".join(map(group, numbers))
        guest.run(f"for group in {groups}; do ip maddress {action} $group dev {name} || exit 1; done")


def groups(guest, name):
    """The groups that the interface is in."""
    found = json.loads(guest.run(["ip", "-json", "maddress", "show", "dev", name]).stdout)[0]["maddr"]
    return sorted(entry["link"] for entry in found if "link" in entry)


@contextmanager
def vlan_in(guest, nic, number):
    """A VLAN of the guest's end, which has the guest's address."""
    name = guest.interface(nic)
    device = f"{name}.{number}"
    guest.run(["ip", "link", "add", "link", name, "name", device, "type", "vlan", "id", number])
    guest.run(f"ip address del {nic.guest4}/24 dev {name} && ip address add {nic.guest4}/24 dev {device}")
    guest.run(["ip", "link", "set", device, "up"])
    yield
    guest.run(f"ip link delete {device} && ip address add {nic.guest4}/24 dev {name}")


def becomes(look, within=exchange.TIMEOUT, **wanted):
    """Waits until a device has what is wanted: the C driver is not done yet when a command returns."""
    limit = time.monotonic() + within
    while True:
        found = {name: sorted(value) if isinstance(value, list) else value for name, value in look().items()}
        if wanted.items() <= found.items():
            return
        assert time.monotonic() < limit, (wanted, found)
        time.sleep(0.1)
