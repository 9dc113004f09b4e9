# SPDX-License-Identifier: GPL-2.0
"""Whether a row is true."""

import re
from dataclasses import dataclass, field

from faults.row import Row, chosen


@dataclass(frozen=True)
class Verdict:
    row: Row
    wrong: tuple[str, ...] = field(default=())

    @property
    def true(self):
        return not self.wrong


def passed(names, outcomes):
    """Why these do not count as passed. One that is skipped says nothing, as long as another one does."""
    for name in names:
        one = outcomes[name]
        if one.outcome not in ("passed", "skipped"):
            yield f"{name}: {one.outcome} {'; '.join(one.messages)}"
    if not any(outcomes[name].outcome == "passed" for name in names):
        yield "no test has passed"


def failed(names, outcomes, way):
    """Why these do not count as failed in this way."""
    for name in names:
        one = outcomes[name]
        if one.outcome == "skipped":
            continue
        if not any(re.search(way.shown, message) for message in one.messages):
            yield f"{name}: {one.outcome}, and does not say: {way.shown}"
        for message in one.messages:
            if not re.search(way.shown, message) and not (way.also and re.search(way.also, message)):
                yield f"{name}: {message}"
    if not any(outcomes[name].messages for name in names):
        yield "no test has failed"


def broken_by_ours(names, outcomes):
    return [f"breaks {rule}" for name in names for rule in outcomes[name].rules]


def of(row, ours, c):
    """Of what became of the tests of a row, by name."""
    names = chosen(ours, row.tests)
    wrong = [f"ours: {why}" for why in [*passed(names, ours), *broken_by_ours(names, ours)]]
    names = chosen(c, row.tests_of_c)
    whys = failed(names, c, row.c) if row.c else passed(names, c)
    return Verdict(row, (*wrong, *(f"C: {why}" for why in whys)))


def rules(known, by_chance, outcomes):
    """What is not true of the rules that the C driver breaks: patterns of them, and of those that it may break."""
    broken = {rule for one in outcomes for rule in one.rules}
    expected = [*known, *by_chance]
    yield from (f"C breaks {rule}" for rule in sorted(broken) if not any(re.match(pattern, rule) for pattern in expected))
    yield from (f"C does not break {pattern}" for pattern in known if not any(re.match(pattern, rule) for rule in broken))
