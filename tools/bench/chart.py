# SPDX-License-Identifier: GPL-2.0
"""The table as a picture: how far each ratio is from that of C."""

from html import escape

from bench.about import sentence
from bench.rows import EVENTS

WIDTH, NAMES, ROW, TOP = 960, 430, 22, 64
# The ratios at the ends of the scale. A bar that is longer is cut, and its number says how long it is.
LOW, HIGH = 0.5, 1.5
BETTER, WORSE, UNSTEADY = "#2f855a", "#c05621", "#a0aec0"
TICKS = (0.5, 0.75, 1.0, 1.25, 1.5)


def place(ratio):
    """Where a ratio is on the scale, in pixels from the left."""
    return NAMES + (min(max(ratio, LOW), HIGH) - LOW) / (HIGH - LOW) * (WIDTH - NAMES - 70)


def text(x, y, words, more=""):
    return f'<text x="{x:.0f}" y="{y:.0f}" {more}>{escape(words)}</text>'


def bar(row, top):
    middle, end = place(1.0), place(row.ratio)
    colour = UNSTEADY if not row.steady else BETTER if row.ratio <= 1.0 else WORSE
    left, width = min(middle, end), max(abs(end - middle), 1)
    label = f"{row.ratio:.2f}" if row.steady else "unsteady"
    yield text(NAMES - 10, top + 15, f"{row.workload}, {row.unit}", 'text-anchor="end"')
    yield f'<rect x="{left:.1f}" y="{top + 4}" width="{width:.1f}" height="{ROW - 8}" fill="{colour}"/>'
    if row.ratio > 1.0:
        yield text(end + 5, top + 15, label)
    else:
        yield text(end - 5, top + 15, label, 'text-anchor="end"')


def svg(rows, facts):
    """Interrupts and notifications are left out: a fraction of very few says nothing at a glance."""
    rows = [row for row in rows if row.metric != EVENTS]
    height = TOP + ROW * len(rows) + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" '
        'font-size="12" fill="#1a202c">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        text(10, 20, "Rust driver beside the C driver: to the left of 1.00 is better than C", 'font-weight="bold"'),
        text(10, 38, sentence(facts), 'fill="#4a5568"'),
    ]
    for tick in TICKS:
        x = place(tick)
        colour = "#1a202c" if tick == 1.0 else "#e2e8f0"
        parts.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{height - 12}" stroke="{colour}"/>')
        parts.append(text(x, TOP - 6, f"{tick:.2f}", 'text-anchor="middle" fill="#4a5568"'))
    for number, row in enumerate(rows):
        parts += bar(row, TOP + ROW * number)
    return "\n".join([*parts, "</svg>"]) + "\n"
