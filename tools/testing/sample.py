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


class Sample:
    """A plugin of pytest's. A value is seen once in a file, whichever test has it."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config, items):
        tests = defaultdict(list)
        for item in items:
            tests[item.path, item.originalname].append(item)
        kept, seen = set(), defaultdict(set)
        for (path, _), variants in tests.items():
            values = [{(name, repr(value)) for name, value in parameters(one).items()} for one in variants]
            kept |= {variants[place] for place in chosen(values, seen[path])}
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = [item for item in items if item in kept]
