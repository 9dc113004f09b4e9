# SPDX-License-Identifier: GPL-2.0
"""`make parity`: puts the same questions to the C driver and to ours, and fails where an answer differs unexplained."""

import sys
import tempfile

from lab import driver as drivers
from lab.guest import Guest
from lab.paths import LOGS, REPO, die, shown
from parity import answers, differences, inventory, own, page
from parity.catalog import QUESTIONS, SETUPS
from parity.page import Row


def all_answers(guest, driver):
    driver.load(guest)
    nics = dict(zip(SETUPS, guest.nics))
    found = [answers.put(guest, nics[question.setup], driver, question) for question in QUESTIONS]
    driver.unload(guest)
    return found


def main(commit):
    missing = inventory.without_question(QUESTIONS)
    if missing:
        die(f"{shown(REPO / 'tools/parity/catalog.py')} asks nothing about {', '.join(missing)}")
    ours = drivers.RUST
    with tempfile.TemporaryDirectory() as folder:
        nics = [setup() if callable(setup) else setup for setup in SETUPS.values()]
        with Guest(nics=nics, files=ours.payload(folder), cpus=2, shared_memory=True) as guest:
            own.count(dict(zip(SETUPS, nics))[own.NAME])
            # It changes filters when it is loaded, and stays.
            guest.run(["modprobe", "8021q"])
            c, rust = (all_answers(guest, driver) for driver in (drivers.C, ours))
    rows = [Row(question, *both, differences.why(question)) for question, *both in zip(QUESTIONS, c, rust)]
    print(*page.terminal(rows), sep="\n")
    document = REPO / "build" / "parity.rst"
    document.write_text(page.document(rows, commit))
    differing = [row for row in rows if not row.same]
    unexplained = sum(row.why is None for row in differing)
    print(f"\nlogs: {shown(LOGS)}, page: {shown(document)}")
    print(f"{len(rows) - len(differing)} of {len(rows)} the same, {len(differing)} differ, {unexplained} unexplained", flush=True)
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "unknown"))
