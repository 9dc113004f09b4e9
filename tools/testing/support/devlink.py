# SPDX-License-Identifier: GPL-2.0
"""devlink in the guest: what it says of a device and of the health of its parts."""

import json

from support import faults


def handle(guest, nic):
    return f"virtio/{guest.virtio_device(nic)}"


def ask(guest, *words):
    """What `devlink` answers, as JSON."""
    return json.loads(guest.run(["devlink", "-j", *words]).stdout)


def info(guest, name):
    return ask(guest, "dev", "info", name)["info"][name]


def health(guest, name):
    """What is said of each reporter, by its name."""
    found = ask(guest, "health", "show", name)["health"].get(name, [])
    return {one["reporter"]: one for one in found}


def states(guest, name):
    """The state of each reporter, and how many errors and recoveries it has counted."""
    return {part: (one["state"], one["error"], one["recover"]) for part, one in health(guest, name).items()}


def diagnosed(guest, name, part):
    return ask(guest, "health", "diagnose", name, "reporter", part)


def dumped(guest, name, part):
    return ask(guest, "health", "dump", "show", name, "reporter", part)


def set_health(guest, name, part, **values):
    words = [str(word) for pair in values.items() for word in pair]
    guest.run(["devlink", "health", "set", name, "reporter", part, *words])


def recover(guest, name, part):
    """By hand. What it begins is not done when it returns."""
    return guest.run(["devlink", "health", "recover", name, "reporter", part], check=False)


def wait_for_state(guest, name, part, state):
    faults.wait(lambda: states(guest, name)[part][0] == state, f"the state of {part} does not become {state}")
