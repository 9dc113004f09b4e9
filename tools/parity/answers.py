# SPDX-License-Identifier: GPL-2.0
"""Puts the questions to a driver, and reduces what it says to what can be compared."""

import itertools
import re
from dataclasses import dataclass

from lab import features

# Commands of which only the names count: the values are counters.
NAMES_ONLY = re.compile(r"ethtool -S")
NUMBER = re.compile(r": \d+$", re.MULTILINE)
# What differs from one time to the next with the same driver: indices, handles, and the state while it settles.
NOISE = (
    (re.compile(r"^\d+: ", re.MULTILINE), ""),
    (re.compile(r"\\\s+"), " "),
    (re.compile(r" state (UP|DOWN|UNKNOWN) "), " "),
    (re.compile(r"qdisc \w+ "), ""),
    (re.compile(r"<[A-Z,_-]+>"), ""),
    (re.compile(r"[ \t]+$", re.MULTILINE), ""),
)


@dataclass(frozen=True)
class Answer:
    status: int
    text: str

    def lines(self):
        return [f"exit status {self.status}", *self.text.splitlines()]


def reduced(question, text, name, module):
    if NAMES_ONLY.match(question.command):
        text = NUMBER.sub("", text)
    for pattern, instead in NOISE:
        text = pattern.sub(instead, text)
    # The folder of a receive queue is not called after the module.
    return re.sub(rf"(?<!/rx-0/){module}", "MODULE", text.replace(name, "NIC")).strip()


def ranges(numbers):
    """Sorted numbers as text: 0-4, 7."""
    runs = itertools.groupby(enumerate(numbers), lambda item: item[1] - item[0])
    ends = [[number for _, number in run] for _, run in runs]
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in ends)


def filter_of(guest, nic):
    """What QEMU has in the filter of a NIC, as lines."""
    found = guest.qmp("query-rx-filter", name=nic.id)[0]
    found["vlan-table"] = ranges(sorted(found["vlan-table"]))
    return "\n".join(f"{key}: {sorted(value) if isinstance(value, list) else value}" for key, value in sorted(found.items()))


def settled_filter(guest, nic):
    """The filter once the work that sets it is done: `udevadm settle` knows nothing of work items, a change of VLANs
    or the like waits for those before it."""
    guest.run("for i in 1 2 3; do sleep 0.1; done")
    return filter_of(guest, nic)


def put(guest, nic, driver, question):
    name = guest.interface(nic)
    command = re.sub(r"\bNIC\b", name, question.command).replace("MODULE", driver.name)
    if question.of == "feature bits":
        return Answer(0, "\n".join(sorted(features.negotiated(guest, nic))))
    if question.monitor:
        what, arguments = question.monitor
        guest.qmp(what, **(arguments | {"name": nic.id} if what == "set_link" else arguments))
    done = guest.run(command, check=False)
    text = reduced(question, done.stdout + done.stderr, name, driver.name)
    if question.filter:
        text += "\n" + reduced(question, settled_filter(guest, nic), name, driver.name)
    return Answer(done.rc, text)
