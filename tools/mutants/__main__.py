# SPDX-License-Identifier: GPL-2.0
"""`make mutants`: removes one bound of the driver after the other, and fails if no test notices.

Each is built and tested in a copy. Before that, the tests have to pass with nothing removed.
"""

import os
import subprocess
import sys
from contextlib import contextmanager

from lab import build, kernel
from lab.paths import LOGS, REPO, die, shown
from mutants.catalog import MUTANTS

FOLDER = REPO / "build" / "mutants"
RUN = REPO / "tools" / "testing" / "run.py"
PASSED, FAILED = 0, 1


def must_be_there(mutant):
    """Otherwise nothing would be removed, and no test would notice."""
    if (FOLDER / mutant.file).read_text().count(mutant.old) != 1:
        die(f"{mutant.name}: what it removes is not in {mutant.file}, or not only once; mend tools/mutants/catalog.py")


@contextmanager
def removed(mutant):
    """For a `with` block: the copy is without the bound."""
    file = FOLDER / mutant.file
    text = file.read_text()
    file.write_text(text.replace(mutant.old, mutant.new))
    try:
        yield
    finally:
        file.write_text(text)


def builds(log):
    with build.tree_lock(), open(log, "w") as output:
        done = subprocess.run(kernel.chosen().make(FOLDER), stdout=output, stderr=subprocess.STDOUT)
    return done.returncode == 0


def tests(wanted, log):
    """Runs tests with the module of the copy until one fails. Returns how that ended, and the last line."""
    environment = os.environ | {"SOURCES": str(FOLDER), "TEST": wanted, "PYTEST_ADDOPTS": "-x"}
    with open(log, "w") as output:
        done = subprocess.run([sys.executable, RUN], env=environment, stdout=output, stderr=subprocess.STDOUT)
    return done.returncode, log.read_text().splitlines()[-1]


def must_pass(chosen):
    log = LOGS / "nothing-removed.log"
    wanted = " or ".join(f"({test})" for test in dict.fromkeys(mutant.test for mutant in chosen))
    outcome, summary = tests(wanted, log)
    print(f"nothing is removed: {summary}", flush=True)
    if outcome != PASSED:
        die(f"the tests do not pass as it is, see {shown(log)}")


def noticed(mutant, number):
    log = LOGS / f"mutant-{number:02}.log"
    with removed(mutant):
        if not builds(log):
            print(f"DOES NOT BUILD: {mutant.name} (see {shown(log)})", flush=True)
            return False
        outcome, summary = tests(mutant.test, log)
    if outcome not in (PASSED, FAILED):
        die(f"{mutant.name}: the tests did not run, see {shown(log)}")
    print(f"{'noticed' if outcome == FAILED else 'NOT NOTICED'}: {mutant.name} ({summary}, {log.name})", flush=True)
    return outcome == FAILED


def main():
    wanted = os.environ.get("MUTANT", "")
    chosen = [mutant for mutant in MUTANTS if wanted in mutant.name]
    if not chosen:
        die(f"no mutant has a name with MUTANT={wanted}")
    build.copy_sources(FOLDER)
    for mutant in chosen:
        must_be_there(mutant)
    if not builds(LOGS / "build.log"):
        die(f"the module does not build, see {shown(LOGS / 'build.log')}")
    must_pass(chosen)
    results = [noticed(mutant, number) for number, mutant in enumerate(chosen, 1)]
    print(f"logs: {shown(LOGS)}\n{results.count(True)} noticed, {results.count(False)} not noticed", flush=True)
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
