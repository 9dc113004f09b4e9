# SPDX-License-Identifier: GPL-2.0
"""What the guest's kernel says at the level of errors and above: a test that expects none must see none."""

import re

import conftest
import pytest

# What the kernel says about an emulated machine that is late.
HARMLESS = re.compile(r"MP-BIOS bug")


def errors(guest):
    """Those since the last call, without their times."""
    return [line for line in guest.kernel_errors() if not HARMLESS.search(line)]


@pytest.fixture(autouse=True)
def no_errors(request):
    """For all tests of a module that has this name. A test that provokes errors takes them with `errors`.

    What a module calls HARMLESS_HERE is a line that it cannot take, as it comes at times.
    """
    harmless = getattr(request.module, "HARMLESS_HERE", None)
    yield
    for guest in conftest.running:
        found = [line for line in errors(guest) if not (harmless and harmless.search(line))]
        if found:
            pytest.fail("the guest's kernel logged errors:\n" + "\n".join(found))
