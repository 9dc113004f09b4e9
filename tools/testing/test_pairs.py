# SPDX-License-Identifier: GPL-2.0
"""Combinations by pairs: each pair of values is there, in few combinations."""

import itertools

from pairs import chosen, pairs

AXES = {"mode": range(3), "ring": range(4), "offloads": range(2), "mtu": range(4), "tags": range(2)}


def covered(rows):
    return set().union(*map(pairs, rows))


def test_every_pair():
    rows = list(itertools.product(*AXES.values()))
    places = chosen([dict(zip(AXES, row)) for row in rows])
    assert covered(rows[place] for place in places) == covered(rows)
    # The two longest axes alone need 16.
    assert 16 <= len(places) <= 24


def test_combinations_that_are_missing():
    rows = [row for row in itertools.product(*AXES.values()) if row[0] != row[1] and row[2] <= row[4]]
    places = chosen([dict(zip(AXES, row)) for row in rows])
    assert covered(rows[place] for place in places) == covered(rows)
    assert len(places) < len(rows) / 2


def test_two_axes_have_nothing_to_save():
    rows = list(itertools.product("abc", "de"))
    assert chosen([dict(zip("xy", row)) for row in rows]) == set(range(6))
    assert chosen([{}]) == {0}
