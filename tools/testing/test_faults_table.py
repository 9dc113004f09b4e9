# SPDX-License-Identifier: GPL-2.0
"""The table of faults: its rows are about tests that there are, Documentation has it, and a row that is not true is found.

The rows themselves are tried with `make faults`.
"""

import pytest

from faults import page, runner, verdict
from faults.catalog import ROWS, RULES, RULES_BY_CHANCE
from faults.row import Otherwise, Row, chosen
from faults.runner import Outcome
from lab.paths import REPO
from support.kernels import stock_only

pytestmark = stock_only("no guest takes part")


@pytest.fixture(scope="module")
def names():
    return list(runner.ask("names", "rust", []))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
def test_tests_are_there(names, row):
    assert chosen(names, row.tests)
    assert set(chosen(names, row.tests_of_c)) <= set(chosen(names, row.tests)) and chosen(names, row.tests_of_c)


def test_no_test_is_of_two_rows(names):
    """So that no row is left to what others say."""
    for name in names:
        rows = [row.fault for row in ROWS if chosen([name], row.tests)]
        assert len(rows) < 2, (name, rows)


def test_documentation_has_the_table():
    assert "\n".join(page.tables(ROWS, RULES | RULES_BY_CHANCE)) in (REPO / "Documentation" / "faults.rst").read_text()


# --- Whether a row is true ----------------------------------------------------------

A, B = "test_it.py::test[a]", "test_it.py::test[b]"
ROW = Row("section", "fault", r"test_it\.py::test", "counted")
OTHERWISE = Row("section", "fault", r"test_it\.py::test", "counted", Otherwise("hangs", "not done within"))
PASSED, SKIPPED = Outcome("passed"), Outcome("skipped")
HANGS, DIFFERS = Outcome("failed", ("CommandFailed: not done within 20 s",)), Outcome("failed", ("AssertionError: 1 == 2",))
BREAKS = Outcome("passed", (), ("5.1: a rule",))


def true(row, ours, c):
    return verdict.of(row, dict(zip((A, B), ours)), dict(zip((A, B), c))).true


def test_the_same():
    assert true(ROW, (PASSED, PASSED), (PASSED, SKIPPED))
    assert not true(ROW, (PASSED, PASSED), (PASSED, HANGS))
    assert not true(ROW, (PASSED, PASSED), (SKIPPED, SKIPPED))


def test_ours_passes():
    for c, row in ((PASSED, ROW), (HANGS, OTHERWISE)):
        assert true(row, (PASSED, SKIPPED), (c, c))
        for ours in (DIFFERS, BREAKS, Outcome("missing")):
            assert not true(row, (PASSED, ours), (c, c))
        assert not true(row, (SKIPPED, SKIPPED), (c, c))


def test_otherwise():
    assert true(OTHERWISE, (PASSED, PASSED), (HANGS, HANGS))
    for other in (PASSED, DIFFERS, Outcome("missing"), Outcome("failed", HANGS.messages + DIFFERS.messages)):
        assert not true(OTHERWISE, (PASSED, PASSED), (HANGS, other))
    assert not true(OTHERWISE, (PASSED, PASSED), (SKIPPED, SKIPPED))


def test_otherwise_with_some_tests():
    row = Row("section", "fault", r"test_it\.py::test", "counted", Otherwise("hangs", "not done within", tests=r"test_it.*\[a\]"))
    assert verdict.of(row, {A: PASSED, B: PASSED}, {A: HANGS}).true
    assert not verdict.of(row, {A: PASSED, B: PASSED}, {B: HANGS}).true


def test_rules():
    """Those that C breaks are known, and it still does."""
    known = {r"5\.1: a": "breaks it"}
    assert not list(verdict.rules(known, {}, [PASSED, BREAKS]))
    assert not list(verdict.rules({}, known, [PASSED, BREAKS]))
    assert not list(verdict.rules({}, known, [PASSED]))
    assert list(verdict.rules({}, {}, [PASSED, BREAKS])) == ["C breaks 5.1: a rule"]
    assert list(verdict.rules({r"5\.1": "breaks it", r"6\.": "and that"}, {}, [BREAKS])) == [r"C does not break 6\."]


def test_page():
    rows = [ROW, OTHERWISE]
    text = "\n".join(page.tables(rows, {"5": "breaks it"}))
    assert "     - counted\n     - the same\n" in text and "     - counted\n     - hangs\n" in text and "- breaks it" in text
    verdicts = [verdict.Verdict(ROW), verdict.Verdict(OTHERWISE, ("C: passed",))]
    document = page.document(verdicts, {"5": "breaks it"}, "commit")
    assert text in document and "1 of 2 rows are true" in document
    assert "NOT TRUE: C: passed" in "\n".join(page.terminal(verdicts))
