# SPDX-License-Identifier: GPL-2.0
"""Has a receive queue start with new memory, as providers of memory do, by a module of the tests (restart.c)."""

from support import modules

# For the shell.
STARTED = "echo {name} {queue} >/sys/module/restart/parameters/queue"


def built(folder):
    """The module, which has to be among the files of the guest."""
    return modules.build("restart", folder)


def load(guest):
    guest.run(["insmod", "/payload/restart.ko"])


def restart(guest, name, queue=0, check=True, netns=None):
    inside = f"ip netns exec {netns}" if netns else ""
    return guest.run(f"{inside} sh -c '{STARTED.format(name=name, queue=queue)}'", check=check)
