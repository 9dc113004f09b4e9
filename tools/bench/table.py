# SPDX-License-Identifier: GPL-2.0
"""The table, for readers and for programs."""

import json
from dataclasses import asdict

from bench.about import sentence

HEAD = ("workload", "unit", "C", "ours", "ratio", "spread", "runs")


def figure(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.3f}"


def cells(row):
    ratio = f"{row.ratio:.3f}" if row.steady else "unsteady"
    return (row.workload, row.unit, figure(row.c), figure(row.ours), ratio, f"{row.spread:.1%}", str(row.runs))


def line(texts, widths):
    # Words are on the left, numbers on the right.
    placed = [text.ljust(width) if i < 2 else text.rjust(width) for i, (text, width) in enumerate(zip(texts, widths))]
    return "  ".join(placed).rstrip()


def terminal(rows):
    texts = [HEAD, *map(cells, rows)]
    widths = [max(map(len, column)) for column in zip(*texts)]
    return [line(row, widths) for row in texts]


def short(row):
    """A row as it comes in."""
    return "{}: {}: C {}, ours {}, ratio {}".format(*cells(row)[:5])


def as_rst(rows, facts):
    texts = [HEAD, *map(cells, rows)]
    widths = [max(map(len, column)) for column in zip(*texts)]
    ruler = "  ".join("=" * width for width in widths)
    lines = [sentence(facts), "", ruler, line(HEAD, widths), ruler, *(line(row, widths) for row in texts[1:]), ruler]
    return "\n".join(lines) + "\n"


def as_json(rows, facts):
    """Rows that are no result are left out."""
    return json.dumps({**facts, "rows": [asdict(row) for row in rows if row.steady]}, indent=1) + "\n"
