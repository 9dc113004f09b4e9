# SPDX-License-Identifier: GPL-2.0
"""The answers side by side: on the terminal, and as the document that is kept in Documentation."""

import difflib
from dataclasses import dataclass

from lab import qemu
from lab.paths import RELEASE
from parity import inventory
from parity.answers import Answer
from parity.catalog import SETUPS, Question

# How many lines of a difference are shown.
SHOWN = 16


@dataclass(frozen=True)
class Row:
    question: Question
    c: Answer
    ours: Answer
    why: str | None

    @property
    def same(self):
        return self.c == self.ours

    def changes(self):
        """The lines that only one of them says, with - for C and + for ours."""
        lines = difflib.unified_diff(self.c.lines(), self.ours.lines(), lineterm="", n=0)
        lines = [line for line in list(lines)[2:] if not line.startswith("@@")]
        return lines[:SHOWN] + ([f" ... {len(lines) - SHOWN} more lines"] if len(lines) > SHOWN else [])


def terminal(rows):
    for row in rows:
        if row.same:
            continue
        yield f"{row.question.name}: {row.why or 'NOT EXPLAINED'}"
        yield from (f"    {line}" for line in row.changes())


def listed(properties):
    if callable(properties):
        return "not QEMU's but ``tools/device``, which has all that C knows commands for"
    return ", ".join(f"``{name}={value}``" for name, value in properties.items()) or "none"


def table(rows):
    yield ".. list-table::"
    yield "   :header-rows: 1"
    yield "   :widths: 60 15 25"
    yield ""
    yield "   * - question"
    yield "     - device"
    yield "     - answer"
    for row in rows:
        answer = f"same, exit status {row.c.status}" if row.same else "differs, see below"
        yield f"   * - ``{row.question.command.strip()}``"
        yield f"     - {row.question.setup}"
        yield f"     - {answer}"
    yield ""


def chapters(rows):
    subjects = list(dict.fromkeys(row.question.of for row in rows))
    for subject in subjects:
        yield subject
        yield "-" * len(subject)
        yield ""
        yield from table([row for row in rows if row.question.of == subject])


def differences(rows):
    for row in rows:
        if row.same:
            continue
        yield f"``{row.question.command.strip()}``, {row.question.setup}: {row.why or 'not explained'}"
        yield ""
        yield "::"
        yield ""
        yield from (f"    {line}" for line in row.changes())
        yield ""


def document(rows, commit):
    same = sum(row.same for row in rows)
    devices = "\n".join(f"- {name}: {listed(properties)}" for name, properties in SETUPS.items())
    unasked = "\n".join(f"- ``{name}``: {reason}" for name, reason in sorted(inventory.NO_DEVICE.items()))
    return f"""\
.. SPDX-License-Identifier: GPL-2.0

=========================
The C driver and this one
=========================

The same questions put to both drivers on the same devices of a guest of the stock kernel: for each operation of the C
driver, for each command to the device, for the features, statistics, parameters and files in sysfs. Same is
an answer with the same exit status and the same text, and where the device has filters, the same filters in QEMU.
``make parity`` makes this page anew, in ``build/parity.rst``.

Linux {RELEASE}, QEMU {qemu.version()}, this driver at commit {commit}: {same} of {len(rows)} answers are the same.

Devices, as properties of QEMU's:

{devices}

Without an answer, for want of a device:

{unasked}

Where they differ
=================

Lines of the C driver's answer alone have a ``-``, those of this one's a ``+``.

{chr(10).join(differences(rows)) or "Nowhere."}

All questions
=============

{chr(10).join(chapters(rows))}"""
