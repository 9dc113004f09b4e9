# SPDX-License-Identifier: GPL-2.0
"""How files of tests are run beside one another: one whose guest has died of QEMU gets a second chance, and no other does."""

import os

import jobs
import pytest
from lab import qemu
from lab.paths import LOGS

# A file whose one test fails the first time that it runs, with what it leaves on the console of a guest.
FAILS_ONCE = """\
from lab.paths import LOGS

def test_again():
    LOGS.joinpath("guest-1.console").write_text("[    1.8] {said} 0000 [#1] SMP\\\\n")
    assert LOGS.name.endswith("-again")
"""


def outcome(name, said):
    # Who runs a file has a /tmp of its own.
    path = LOGS / f"test_{name}.py"
    path.write_text(FAILS_ONCE.format(said=said))
    return jobs.run(path, dict(os.environ, TEST=""))


@pytest.mark.parametrize("said", [qemu.STUMBLED, qemu.LOST], ids=["stumbled", "lost"])
def test_of_qemu(request, said):
    result = outcome(request.node.callspec.id, said)
    assert (result.passed, result.failed) == (1, 0), result
    assert said in result.again, "nobody is told that it ran twice"


def test_died():
    result = outcome("dies", "Oops: general protection fault")
    assert (result.passed, result.failed) == (0, 1), result
