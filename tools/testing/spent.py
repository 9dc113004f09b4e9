# SPDX-License-Identifier: GPL-2.0
"""The table of where the time of a run went, by file of tests."""

from collections import Counter

from lab import timing

# What is waited for, as `lab.timing` has it, and what it is in the table.
COLUMNS = {
    "boot": "boots",
    "restore": "restores",
    "guest": "commands",
    "device": "device",
    "host": "host",
    "build": "builds",
    "sleep": "sleep",
}
WIDTH = max(map(len, COLUMNS.values())) + 2


def row(name, seconds, kinds):
    waited = [kinds.get(kind, (0, 0))[1] for kind in COLUMNS]
    busy = kinds.get(timing.BUSY, (0, 0))[1]
    numbers = [seconds, *waited, max(0, seconds - sum(waited)), busy]
    return f"{name:28}" + "".join(f"{number:{WIDTH}.0f}" for number in numbers)


def added(all_kinds):
    numbers, seconds = Counter(), Counter()
    for kinds in all_kinds:
        for kind, (number, total) in kinds.items():
            numbers[kind] += number
            seconds[kind] += total
    return {kind: (numbers[kind], seconds[kind]) for kind in numbers}


def table(files):
    """Lines, of (name, seconds, kinds) of each file: those that took longest come first."""
    title = "".join(f"{word:>{WIDTH}}" for word in ("all", *COLUMNS.values(), "rest", "guest"))
    yield f"{'where the seconds went':28}{title}"
    for one in sorted(files, key=lambda one: -one[1]):
        yield row(*one)
    total = added(kinds for _, _, kinds in files)
    yield row("all files", sum(seconds for _, seconds, _ in files), total)
    boots, restores, commands = (total.get(kind, (0, 0)) for kind in ("boot", "restore", "guest"))
    yield (
        f"{boots[0]} guests booted in {boots[1]:.0f} s and {restores[0]} were restored in {restores[1]:.0f} s; "
        f"they were asked {commands[0]} times"
    )
