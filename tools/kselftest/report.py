# SPDX-License-Identifier: GPL-2.0
"""The table: on the terminal, and as the document that is kept in Documentation."""

import textwrap
from dataclasses import dataclass

from kselftest import catalog
from kselftest.compare import Verdict, compare, count
from kselftest.runner import Run
from lab import qemu
from lab.paths import RELEASE

HEAD = ("test", "setup", "C", "ours", "verdict")
# How many names of subtests a row has room for.
SHOWN = 4


@dataclass
class Row:
    test: catalog.Test
    setup: catalog.Setup
    c: Run
    ours: Run
    verdict: Verdict
    again: bool = False

    @classmethod
    def judged(cls, test, setup, c, ours):
        return cls(test, setup, c, ours, compare(c.results, ours.results, test.unjudged))

    def try_again(self, c, ours):
        """Takes a second run of both into account: the better outcome of each subtest counts."""
        self.again = True
        self.c, self.ours = self.c.best(c), self.ours.best(ours)
        self.verdict = compare(self.c.results, self.ours.results, self.test.unjudged)

    def cells(self):
        return (self.test.path, self.setup.name, self._score(self.c), self._score(self.ours), self._verdict())

    def _score(self, run):
        return count(run.results) + (" !" if run.ended else "")

    def _verdict(self):
        text = str(self.verdict)
        if self.again:
            text += ", second try"
        if self.verdict.unjudged:
            text += ", not all judged"
        return text

    def details(self):
        """What the row has no room for."""
        verdict = self.verdict
        for label, names in (("worse", verdict.worse), ("better", verdict.better), ("not judged", verdict.unjudged)):
            if names:
                more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
                yield f"{label}: {', '.join(names[:SHOWN])}{more}"
        for label, run in (("C", self.c), ("ours", self.ours)):
            if run.ended:
                yield f"{label}: {run.ended.splitlines()[0]}"


def line(cells, widths):
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip()


def widths(rows):
    return [max(map(len, column)) for column in zip(HEAD, *(row.cells() for row in rows))]


def terminal(rows):
    sizes = widths(rows)
    yield line(HEAD, sizes)
    for row in rows:
        yield line(row.cells(), sizes)
        yield from (f"    {text}" for text in row.details())


def item(text):
    return textwrap.fill("- " + text, 100, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def document(rows, commit):
    """The whole of Documentation/kselftest.rst."""
    sizes = widths(rows)
    ruler = "  ".join("=" * size for size in sizes)
    setups = "\n".join(f"- ``{setup.name}``: {setup.text}" for setup in catalog.SETUPS)
    notes = [(f"{row.test.path}, {row.setup.name}", list(row.details())) for row in rows]
    listed = "\n".join(item(f"{name}: {'; '.join(texts)}") for name, texts in notes if texts)
    reasons = dict(item for row in rows for item in row.test.unjudged.items())
    unjudged = "\n".join(item(f"``{name}``: {why}") for name, why in reasons.items())
    return f"""\
.. SPDX-License-Identifier: GPL-2.0

==========================
The kernel's own selftests
==========================

What ``tools/testing/selftests`` of the kernel says of the C driver and of this one, in guests of the stock kernel
with the same devices. ``make kselftest`` makes this page anew, in ``build/kselftest.rst``.

Linux {RELEASE}, QEMU {qemu.version()}, this driver at commit {commit}.

A score is ``passed/failed/skipped``, and ``+n`` for what is expected to fail. The lab adds up to three subtests to those
of each test: that all of them ran, or the exit status, and that the kernel's log has no complaint. A ``!`` says that
the test did not end by itself. *Worse* is any subtest that has a lesser outcome than with C: the order is passed,
skipped, failed, missing. A test with such a subtest is run a second time with both drivers, and the better outcome
of each subtest counts.

{setups}

Table
=====

{ruler}
{line(HEAD, sizes)}
{ruler}
{chr(10).join(line(row.cells(), sizes) for row in rows)}
{ruler}

What differs
============

{listed or "Nothing."}

Not judged:

{unjudged}
"""
