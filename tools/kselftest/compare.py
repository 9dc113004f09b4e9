# SPDX-License-Identifier: GPL-2.0
"""What one run of a test is worth beside another: subtest by subtest, with the C driver's as the measure."""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from kselftest.ktap import FAIL, PASS, SKIP, XFAIL

# Not tried is worth less than passed, and a subtest that never reported is worth the least.
WORTH = {PASS: 3, XFAIL: 2, SKIP: 2, FAIL: 1, None: 0}


@dataclass
class Verdict:
    """Names of subtests: those that are worse with ours, those that are better, and those that differ but are not
    judged."""

    worse: list = field(default_factory=list)
    better: list = field(default_factory=list)
    unjudged: list = field(default_factory=list)

    def __str__(self):
        return "WORSE" if self.worse else "better" if self.better else "same"


def compare(c, ours, unjudged=()):
    """Compares two results of `ktap.parse`. `unjudged` has patterns of subtests whose outcome is not to be judged.

    A subtest that only ours has cannot be worse than what C never reported.
    """
    verdict = Verdict()
    for name in [*c, *(n for n in ours if n not in c)]:
        before, after = WORTH[c.get(name)], WORTH[ours.get(name)]
        if before == after:
            continue
        if any(fnmatchcase(name, pattern) for pattern in unjudged):
            verdict.unjudged.append(name)
        elif after < before:
            verdict.worse.append(name)
        elif ours[name] == PASS:
            verdict.better.append(name)
    return verdict


def best(first, second):
    """The better outcome of each subtest, of two runs of a test with the same driver."""
    return {n: max(first.get(n), second.get(n), key=WORTH.get) for n in [*first, *(n for n in second if n not in first)]}


def count(results):
    """Such as 5/1/0: passed, failed, skipped; what is expected to fail is behind a plus."""
    outcomes = list(results.values())
    passed, failed, skipped, expected = (outcomes.count(o) for o in (PASS, FAIL, SKIP, XFAIL))
    return f"{passed}/{failed}/{skipped}" + (f"+{expected}" if expected else "")
