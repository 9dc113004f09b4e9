# SPDX-License-Identifier: GPL-2.0
"""Some of the variants of each test, where all of them would take too long."""

import math
from collections import defaultdict

import pytest

# The cube of the golden ratio: no number of values that a parameter can have keeps in step with it.
STEP = 2 + math.sqrt(5)


def chosen(variants, seen):
    """The places of those to run, of variants that are sets of values: the first, a quarter of all, and more if a value is
    in none of them and not among those that were `seen` elsewhere, to which these are added."""
    steps = range(math.ceil(len(variants) / STEP))
    places = {place for place in (math.floor(step * STEP) for step in steps) if place < len(variants)}
    seen |= {value for place in places for value in variants[place]}
    for place, values in enumerate(variants):
        if not values <= seen:
            places.add(place)
            seen |= values
    return places


def parameters(item):
    return item.callspec.params if hasattr(item, "callspec") else {}


class Variants:
    """A plugin of pytest's that runs some variants of each test: those at the places that `places(path, variants)` says, of
    dictionaries with the parameters of each."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config, items):
        tests = defaultdict(list)
        for item in items:
            tests[item.path, item.originalname].append(item)
        kept = set()
        for (path, _), variants in tests.items():
            kept |= {variants[place] for place in self.places(path, [parameters(one) for one in variants])}
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = [item for item in items if item in kept]


class Sample(Variants):
    """A value is seen once in a file, whichever test has it."""

    def __init__(self):
        self.seen = defaultdict(set)

    def places(self, path, variants):
        values = [{(name, repr(value)) for name, value in variant.items()} for variant in variants]
        return chosen(values, self.seen[path])
