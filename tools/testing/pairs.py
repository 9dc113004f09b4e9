# SPDX-License-Identifier: GPL-2.0
"""Of tests that combine three parameters or more: so many of the combinations that each pair of values is in one of them."""

from allpairspy import AllPairs

from sample import Variants


def chosen(variants):
    """The places of those to run, of variants that are dictionaries with the same names: not all combinations need be there,
    and all pairs that are in any of them will be in one that is chosen."""
    names = list(variants[0])
    rows = [tuple(repr(variant[name]) for name in names) for variant in variants]
    if len(names) < 3:
        return set(range(len(rows)))
    # AllPairs builds a row from the left, and asks of each part.
    parts = {row[:length] for row in rows for length in range(len(names) + 1)}
    values = [list(dict.fromkeys(column)) for column in zip(*rows)]
    kept = {rows.index(tuple(row)) for row in AllPairs(values, filter_func=lambda part: tuple(part) in parts)}
    return kept | without_partner(rows, kept)


def without_partner(rows, kept):
    """Those that have a pair which no other has that is kept: AllPairs may leave some out where combinations are missing."""
    seen = {pair for place in kept for pair in pairs(rows[place])}
    added = set()
    for place, row in enumerate(rows):
        if not pairs(row) <= seen:
            added.add(place)
            seen |= pairs(row)
    return added


def pairs(row):
    places = range(len(row))
    return {(a, row[a], b, row[b]) for a in places for b in places if a < b}


class Pairs(Variants):
    """Each test has its own pairs."""

    def places(self, path, variants):
        return chosen(variants)
