# SPDX-License-Identifier: GPL-2.0
"""A row of the table: a fault, the tests that show what becomes of it, and what that is with either driver."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Otherwise:
    """What the C driver does where it does not do what ours does: the row's tests fail with it.

    shown   what each of them says when it fails, as a pattern: what the page says is seen there
    tests   those that are run with it, if not all of the row's
    also    what it may say besides
    alone   they have a guest of their own, because of what they leave behind
    """

    text: str
    shown: str
    tests: str | None = None
    also: str | None = None
    alone: bool = False


@dataclass(frozen=True)
class Row:
    """`tests` is a pattern that the names of tests begin with: file.py::test[parameters]. They pass with our driver, and
    if `c` is nothing, with the C driver too."""

    section: str
    fault: str
    tests: str
    ours: str
    c: Otherwise | None = None

    @property
    def alone(self):
        return self.c is not None and self.c.alone

    @property
    def tests_of_c(self):
        return self.c.tests if self.c and self.c.tests else self.tests


def chosen(names, *patterns):
    return [name for name in names if any(re.match(pattern, name) for pattern in patterns)]
