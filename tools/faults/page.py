# SPDX-License-Identifier: GPL-2.0
"""The rows as the tables that are kept in Documentation, and what is not true of them on the terminal."""

from lab import qemu
from lab.paths import RELEASE

SAME = "the same"


def of_c(row):
    return row.c.text if row.c else SAME


def terminal(verdicts):
    for verdict in verdicts:
        row = verdict.row
        yield f"{row.section}: {row.fault}"
        yield f"    ours: {row.ours}"
        yield f"    C:    {of_c(row)}"
        yield from (f"    NOT TRUE: {why}" for why in verdict.wrong)


def table(rows):
    yield ".. list-table::"
    yield "   :header-rows: 1"
    yield "   :widths: 34 33 33"
    yield ""
    yield "   * - fault"
    yield "     - this driver"
    yield "     - C"
    for row in rows:
        yield f"   * - {row.fault}"
        yield f"     - {row.ours}"
        yield f"     - {of_c(row)}"
    yield ""


def tables(rows, rules):
    """What follows from the catalog alone, so that a test can look for it in Documentation."""
    for section in dict.fromkeys(row.section for row in rows):
        yield section
        yield "=" * len(section)
        yield ""
        yield from table([row for row in rows if row.section == section])
    title = "Rules that C breaks"
    yield title
    yield "=" * len(title)
    yield ""
    yield "The device looks at all that a driver does in these tests. This driver breaks no rule; C does these things:"
    yield ""
    yield from (f"- {text}" for text in rules.values())
    yield ""


def run(rows, true, commit):
    """What a run was made with, and its end."""
    return f"Linux {RELEASE}, QEMU {qemu.version()}, this driver at commit {commit}: {true} of {len(rows)} rows are true."


def document(verdicts, rules, commit):
    rows = [verdict.row for verdict in verdicts]
    return "\n".join([run(rows, sum(verdict.true for verdict in verdicts), commit), "", *tables(rows, rules)])
