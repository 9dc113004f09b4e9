# SPDX-License-Identifier: GPL-2.0
"""Runs tests, in a process of its own, and writes down how each has ended: child.py PATTERNS ANSWER, both files of JSON.

Without patterns it runs none, and the answer has the names of all.
"""

import json
import sys
from pathlib import Path

import pytest

from faults.row import chosen
from lab.paths import REPO

TESTS = REPO / "tools" / "testing"
RULES = "the driver broke rules:"


def errors(error):
    """Several parts of a test's clean-up may fail."""
    if isinstance(error, BaseExceptionGroup):
        return [one for part in error.exceptions for one in errors(part)]
    return [error]


class Recorder:
    """`rules` are those that the driver broke, which are no failure of a test: whatever the driver does next would be
    found in the test that runs then."""

    def __init__(self, patterns):
        self.patterns = patterns
        self.found = {}

    def pytest_collection_modifyitems(self, items):
        names = [item.nodeid for item in items]
        wanted = set(chosen(names, *self.patterns))
        shown = wanted if self.patterns else names
        self.found = {name: {"outcome": "missing", "messages": [], "rules": []} for name in names if name in shown}
        items[:] = [item for item in items if item.nodeid in wanted]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item, call):
        report = yield
        found = self.found[item.nodeid]
        if report.failed:
            for error in errors(call.excinfo.value):
                text = str(error)
                if text.startswith(RULES):
                    found["rules"] += text.splitlines()[1:]
                else:
                    found["messages"].append(f"{type(error).__name__}: {text}")
        if report.when == "call" or report.skipped or found["messages"]:
            found["outcome"] = "failed" if found["messages"] else report.outcome
        return report


def main(request, answer):
    recorder = Recorder(json.loads(Path(request).read_text()))
    files = sorted({pattern.partition("::")[0] for pattern in recorder.patterns})
    options = ["-vv", "--tb=short", "-p", "no:cacheprovider", "--rootdir", str(TESTS)]
    pytest.main([*options, *(str(TESTS / file) for file in files or [""])], plugins=[recorder])
    Path(answer).write_text(json.dumps(recorder.found))


if __name__ == "__main__":
    main(*sys.argv[1:])
