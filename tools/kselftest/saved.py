# SPDX-License-Identifier: GPL-2.0
"""The outcomes of a run with C, kept with its logs: while the driver changes, they need not be measured again."""

import json
import os
from dataclasses import asdict

from kselftest.runner import Run
from lab import qemu
from lab.paths import LOGS, RELEASE, REPO, die


def _measured():
    """What the outcomes depend on, besides the driver."""
    return {"kernel": RELEASE, "qemu": qemu.version(), "tests": os.path.basename(os.environ.get("LAYER", ""))}


def save(setup, tests, runs):
    known = {test.path: asdict(run) for test, run in zip(tests, runs)}
    (LOGS / f"{setup.name}-C.json").write_text(json.dumps({"of": _measured(), "runs": known}, indent=1))


def load(setup, tests, folder):
    """The runs of `tests` that were saved in `folder` of the repository."""
    file = REPO / folder / f"{setup.name}-C.json"
    if not file.exists():
        die(f"KSELFTEST_C={folder}: there is no {file.name}, the outcomes with C, in it")
    saved = json.loads(file.read_text())
    if saved["of"] != _measured():
        die(f"KSELFTEST_C={folder}: its outcomes are those of {saved['of']}, and now there is {_measured()}")
    missing = [test.path for test in tests if test.path not in saved["runs"]]
    if missing:
        die(f"KSELFTEST_C={folder}: {', '.join(missing)} did not run there")
    return [Run(**saved["runs"][test.path]) for test in tests]
