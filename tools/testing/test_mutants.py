# SPDX-License-Identifier: GPL-2.0
"""`make mutants` has something to remove, and says so if nobody notices."""

import pytest

import mutants.__main__ as command
from lab.paths import REPO
from mutants.catalog import MUTANTS, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_bound_is_there(mutant):
    assert (REPO / mutant.file).read_text().count(mutant.old) == 1
    assert mutant.old != mutant.new


def test_names_differ():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy with one file, of which any content builds."""
    monkeypatch.setattr(command, "FOLDER", tmp_path)
    monkeypatch.setattr(command, "LOGS", tmp_path)
    monkeypatch.setattr(command, "builds", lambda log: True)
    (tmp_path / "file").write_text("if bound {")
    return tmp_path / "file"


@pytest.mark.parametrize("outcome, seen", [(command.PASSED, False), (command.FAILED, True)])
def test_notice(copy, monkeypatch, outcome, seen):
    tested = []

    def tests(wanted, log):
        tested.append((wanted, copy.read_text()))
        return outcome, ""

    monkeypatch.setattr(command, "tests", tests)
    assert command.noticed(Mutant("name", "file", "bound", "true", "some test"), 1) is seen
    assert tested == [("some test", "if true {")]
    assert copy.read_text() == "if bound {"


def test_it_does_not_build(copy, monkeypatch, capsys):
    """The others are tried all the same."""
    monkeypatch.setattr(command, "builds", lambda log: False)
    assert not command.noticed(Mutant("name", "file", "bound", "true", "some test"), 1)
    assert capsys.readouterr().out.startswith("DOES NOT BUILD: name ")
    assert copy.read_text() == "if bound {"


@pytest.mark.parametrize("text", ["if true {", "if bound && bound {"])
def test_nothing_to_remove(copy, text):
    copy.write_text(text)
    with pytest.raises(SystemExit, match="name: what it removes is not in file, or not only once"):
        command.must_be_there(Mutant("name", "file", "bound", "true", "some test"))


def test_tests_that_do_not_run(copy, monkeypatch):
    monkeypatch.setattr(command, "tests", lambda wanted, log: (5, ""))
    with pytest.raises(SystemExit, match="did not run"):
        command.noticed(Mutant("name", "file", "bound", "true", "some test"), 1)
