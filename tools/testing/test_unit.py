# SPDX-License-Identifier: GPL-2.0
"""What is pure in the module, tested on the host from the same source files (tools/unit)."""

from lab import device
from lab.paths import REPO
from support.kernels import stock_only

pytestmark = stock_only("no guest takes part")


def test_unit():
    device.cargo("test", folder=REPO / "tools" / "unit")
