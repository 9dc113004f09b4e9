# SPDX-License-Identifier: GPL-2.0
"""The comparison of `make kselftest`: it reads what the kernel's tests print, and no loss goes unnoticed."""

import time

import pytest

from kselftest import catalog, report, saved
from kselftest.compare import Verdict, best, compare, count
from kselftest.job import LABELS, Job, Jobs
from kselftest.ktap import COMPLETE, EXIT, parse
from kselftest.runner import Run
from lab import host
from lab.paths import LINUX, REPO

SAMPLE = """\
# Interface: eth0, driver: virtio_net
TAP version 13
1..5
ok 1 rings.channels
# Check| At rings.py, line 63
not ok 2 rings.resize
ok 3 rings.stall # XFAIL could not fill the queue
ok 4 rings.header # SKIP not supported by the device
ok 5 rings.traffic.v6_#1
# Totals: pass:2 fail:1 xfail:1 xpass:0 skip:1 error:0
"""
RESULTS = {
    "rings.channels": "pass",
    "rings.resize": "fail",
    "rings.stall": "xfail",
    "rings.header": "skip",
    "rings.traffic.v6_#1": "pass",
    COMPLETE: "pass",
}


def with_line(number, text):
    lines = SAMPLE.splitlines()
    start = next(i for i, line in enumerate(lines) if f"ok {number} " in line)
    lines[start : start + 1] = [text] if text else []
    return "\n".join(lines)


def worse(output, status=1):
    return compare(parse(SAMPLE, 1), parse(output, status)).worse


def test_ktap_is_read():
    assert parse(SAMPLE, 1) == RESULTS
    assert count(RESULTS) == "3/1/1+1"


def test_names_that_say_it_twice_are_read():
    """Or the same test would have another name when it fails."""
    output = "1..3\nok 1 PASS: ZC send\nnot ok 2 FAIL: ZC receive\nok 3 # SKIP SKIP: ZC huge pages\n"
    assert parse(output, 1) == {"ZC send": "pass", "ZC receive": "fail", "ZC huge pages": "skip", COMPLETE: "pass"}


def test_scripts_without_ktap_are_read():
    output = "PASS: eth0: list features\nFAIL: eth0: dump\nTEST: ping  simple     [ OK ]\nTEST: mac    [FAIL]\n"
    assert parse(output, 1) == {
        "eth0: list features": "pass",
        "eth0: dump": "fail",
        "ping  simple": "pass",
        "mac": "fail",
        EXIT: "fail",
    }


@pytest.mark.parametrize("output", ["", "1..0 # SKIP no such device\n"])
def test_skip_as_a_whole(output):
    assert parse(output, 4) == {EXIT: "skip"}
    assert parse(output, 1) == {EXIT: "fail"}
    assert parse(output, None) == {EXIT: "fail"}


def test_names_that_come_twice_are_all_counted():
    results = parse("1..3\nok 1 a\nnot ok 2 a\nok 3 a\n", 1)
    assert list(results.values()) == ["pass", "fail", "pass", "pass"]


def test_the_same_is_the_same():
    verdict = compare(RESULTS, dict(RESULTS))
    assert (str(verdict), verdict.worse, verdict.better) == ("same", [], [])


def test_regression():
    assert worse(with_line(1, "not ok 1 rings.channels")) == ["rings.channels"]


def test_extra_skip():
    assert worse(with_line(1, "ok 1 rings.channels # SKIP no channels")) == ["rings.channels"]
    assert worse(with_line(1, "ok 1 rings.channels # XFAIL no channels")) == ["rings.channels"]


def test_what_was_skipped_fails():
    assert worse(with_line(4, "not ok 4 rings.header")) == ["rings.header"]


def test_missing_result():
    assert worse(with_line(5, None)) == ["rings.traffic.v6_#1", COMPLETE]


def test_crash():
    """The plan is all that is left of a test whose guest died."""
    assert set(worse("TAP version 13\n1..5\n", None)) == {*RESULTS}
    assert set(worse("", None)) == {*RESULTS}


def test_killed_at_the_last_moment():
    assert worse(SAMPLE, None) == [COMPLETE]


def test_better_is_no_loss():
    verdict = compare(RESULTS, parse(with_line(2, "ok 2 rings.resize"), 0))
    assert (str(verdict), verdict.worse, verdict.better) == ("better", [], ["rings.resize"])


def test_what_is_not_judged():
    slow = parse(with_line(1, "not ok 1 rings.channels"), 1)
    verdict = compare(RESULTS, slow, unjudged=("rings.ch*",))
    assert (verdict.worse, verdict.unjudged) == ([], ["rings.channels"])
    assert compare(RESULTS, slow, unjudged=("rings.x*",)).worse == ["rings.channels"]


def test_best_of_two_tries():
    lost = parse(with_line(1, "not ok 1 rings.channels"), 1)
    assert best(lost, RESULTS) == best(RESULTS, lost) == RESULTS
    assert best({}, RESULTS) == RESULTS
    assert best(lost, lost) == lost


def test_saved_outcomes(tmp_path, monkeypatch):
    setup, tests = catalog.SETUPS[0], catalog.DATA_PATH[:2]
    runs = [Run(RESULTS, seconds=7), Run(parse("", None), ended="not done within 300 s")]
    monkeypatch.setattr(saved, "LOGS", tmp_path)
    saved.save(setup, tests, runs)
    assert saved.load(setup, tests[1:], tmp_path) == runs[1:]
    assert saved.load(setup, tests, tmp_path) == runs
    with pytest.raises(SystemExit, match=catalog.DATA_PATH[2].path):
        saved.load(setup, catalog.DATA_PATH[:3], tmp_path)
    monkeypatch.setattr(saved, "RELEASE", "7.9.9")
    with pytest.raises(SystemExit, match="7.9.9"):
        saved.load(setup, tests, tmp_path)


def test_guests_run_beside_one_another(monkeypatch):
    """Each pair has the runs of its own, and a test that must not be disturbed has no other one beside it."""
    running, most = [], {}

    def run(job, name):
        running.append(job)
        for test in job.tests:
            most[test] = max(most.get(test, 0), len(running))
        time.sleep(0.2)
        running.remove(job)
        return [Run(log=f"{name} {test}") for test in job.tests]

    monkeypatch.setattr(Job, "run", run)
    beside, alone = catalog.Test("net/any"), catalog.Test("net/fast", alone="packets must arrive in time")
    pairs = [(setup, test) for setup in catalog.SETUPS for test in (alone, beside)]
    jobs = Jobs([])
    found = jobs.first(pairs, LABELS)
    assert {key: found[key].log for key in found} == {
        (setup.name, label, test.path): f"{setup.name}-{label}-{kind} {test.path}"
        for setup in catalog.SETUPS
        for label in LABELS
        for test, kind in ((beside, "beside"), (alone, "alone"))
    }
    assert most == {beside.path: 2, alone.path: 1}
    most.clear()
    again = jobs.again(pairs[1:2], LABELS)
    assert [run.log for run in again.values()] == [f"{pairs[1][0].name}-{label}-again {beside.path}" for label in LABELS]
    assert most == {beside.path: 1}


def test_job_that_dies():
    with pytest.raises(SystemExit, match="1q-C-dead: the tests did not come to an end"):
        Job("1q", "C", ("no/such/test",), 1, ()).run("1q-C-dead")


def test_table_names_what_is_worse():
    setup, test = catalog.SETUPS[0], catalog.DATA_PATH[0]
    lost = Run(parse(with_line(1, "not ok 1 rings.channels"), 1))
    dead = Run(parse("", None), ended="the guest died: it ended")
    rows = [
        report.Row(test, setup, Run(RESULTS), run, compare(RESULTS, run.results), again=False) for run in (lost, dead)
    ]
    for text in ("\n".join(report.terminal(rows)), report.document(rows, "0123abc")):
        assert "WORSE" in text and "worse: rings.channels" in text
        assert "ours: the guest died" in text
    assert str(Verdict()) == "same"


def test_catalog_names_tests_that_exist():
    tests = catalog.chosen("all")
    assert len({test.path for test in tests}) == len(tests)
    for test in tests:
        file = LINUX / "tools/testing/selftests" / test.path
        # A script, or the source of a program.
        assert file.is_file() or file.with_name(f"{file.name}.c").is_file(), test.path
    assert set(catalog.chosen("")) == {test for test in tests if test.required}
    assert [test.path for test in catalog.chosen("csum")] == ["drivers/net/hw/csum.py"]


def test_unknown_test():
    done = host.run(
        "env", "KSELFTEST=nosuch", f"PYTHONPATH={REPO / 'tools'}", "python3", "-m", "kselftest", check=False
    )
    assert done.returncode != 0 and "error: no test has a path with nosuch in it" in done.stderr


def test_page_has_all_that_is_required():
    lines = (REPO / "Documentation" / "kselftest.rst").read_text().splitlines()
    rows = [tuple(line.split()[:2]) for line in lines]
    for test in catalog.DATA_PATH:
        for setup in catalog.SETUPS:
            assert (test.path, setup.name) in rows
