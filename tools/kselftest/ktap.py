# SPDX-License-Identifier: GPL-2.0
"""Reads what a selftest prints: KTAP, or the lines of those shell scripts that do not know it."""

import re

PASS, FAIL, SKIP, XFAIL = "pass", "fail", "skip", "xfail"

PLAN = re.compile(r"^1\.\.(\d+)(?:\s+# SKIP\b.*)?$")
RESULT = re.compile(r"^(not )?ok \d+(?: -)? ?(.*)$")
DIRECTIVE = re.compile(r"^(SKIP|XFAIL)\b")
# "PASS: eth0: what was tried", and "TEST: what was tried    [ OK ]"
WORDED = re.compile(r"^(PASS|FAIL|SKIP|XFAIL): *(.*)$")
BRACKETED = re.compile(r"^TEST: (.*?)\s*\[ *(OK|FAIL|SKIP|XFAIL) *\]")

# What kselftest's exit statuses mean; any other one is a failure.
STATUS = {0: PASS, 2: XFAIL, 4: SKIP}
# The subtests that this reader adds to the test's own.
EXIT, COMPLETE = "(exit status)", "(all subtests ran)"


def _line(line):
    """The name and the outcome that a line reports, if it does."""
    if found := RESULT.match(line):
        name, _, comment = found[2].partition("# ")
        directive = DIRECTIVE.match(comment)
        outcome = directive[1].lower() if directive else FAIL if found[1] else PASS
        # Some say it twice, and of what is skipped they have the name behind the reason.
        name = name.strip() or comment[directive.end() if directive else 0 :].strip()
        said = WORDED.match(name)
        return said[2].strip() if said else name, outcome
    if found := WORDED.match(line):
        return found[2].strip(), found[1].lower()
    if found := BRACKETED.match(line):
        return found[1], PASS if found[2] == "OK" else found[2].lower()
    return None


def parse(output, status):
    """Outcomes by the name of the subtest, in the order in which they came. `status` is how the test ended: its exit
    status, or None if it was killed or its guest went with it."""
    results, planned, numbered = {}, None, 0
    for line in output.splitlines():
        if found := PLAN.match(line):
            planned = int(found[1])
        elif reported := _line(line):
            name, outcome = reported
            numbered += bool(RESULT.match(line))
            copies = sum(known == name or known.startswith(f"{name} (again") for known in results)
            results[f"{name} (again {copies})" if copies else name] = outcome
    if planned:
        results[COMPLETE] = PASS if numbered == planned and status is not None else FAIL
    else:
        results[EXIT] = STATUS.get(status, FAIL)
    return results
