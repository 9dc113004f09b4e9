# SPDX-License-Identifier: GPL-2.0
"""A sample of variants has the first, and each value of each parameter."""

import itertools

from sample import chosen


def test_size():
    for count in range(1, 300):
        places = chosen([set()] * count, set())
        assert 0 in places and max(places) < count
        assert abs(len(places) - count / 4) <= 1 + count / 50, count


def test_every_value():
    for inner, outer in itertools.product(range(1, 11), repeat=2):
        variants = [{("outer", a), ("inner", b)} for a in range(outer) for b in range(inner)]
        places = chosen(variants, set())
        assert set().union(*(variants[place] for place in places)) == set().union(*variants)
        assert len(places) <= len(variants) / 4 + 1 + max(inner, outer), (inner, outer)


def test_what_was_seen_elsewhere():
    variants = [{("letter", letter)} for letter in "abcdefgh"]
    seen = {("letter", letter) for letter in "cdefgh"}
    places = chosen(variants, seen)
    assert {0, 1} < places < set(range(8)) and len(places) <= 4
    assert seen == set().union(*variants)
    assert chosen(variants, seen) < places
