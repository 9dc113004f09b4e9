# SPDX-License-Identifier: GPL-2.0
"""The device finds each rule that a driver may break, and makes the same faults from the same seed."""

from lab import device
from support.kernels import stock_only

pytestmark = stock_only("no guest takes part")


def test_judge():
    device.cargo("test")
