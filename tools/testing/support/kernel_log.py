# SPDX-License-Identifier: GPL-2.0
"""What the guest's kernel says at the level of errors and above: a test that expects none must see none."""

import re

import conftest
import pytest

# What the stock kernel itself says in these guests, whatever the driver does.
HARMLESS = re.compile(r"^(?:RETBleed|Spectre|ACPI|PCI|pci |pcieport|i8042|RAS|tsx|mce|device-mapper|\.\.MP-BIOS)")


def errors(guest):
    """Those since the last call, without their times."""
    done = guest.run(["dmesg", "--read-clear", "--notime", "--level", "emerg,alert,crit,err"])
    return [line for line in done.stdout.splitlines() if line and not HARMLESS.match(line)]


@pytest.fixture(autouse=True)
def no_errors():
    """For all tests of a module that has this name. A test that provokes errors takes them with `errors`."""
    yield
    for guest in conftest.running:
        found = errors(guest)
        if found:
            pytest.fail("the guest's kernel logged errors:\n" + "\n".join(found))
