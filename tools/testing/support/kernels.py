# SPDX-License-Identifier: GPL-2.0
"""Tests that make sense with one of the kernels only."""

import pytest

from lab import kernel


def stock_only(reason):
    return pytest.mark.skipif(kernel.chosen() is not kernel.STOCK, reason=f"not for the {kernel.chosen().name} kernel: {reason}")


def debug_only(reason):
    return pytest.mark.skipif(kernel.chosen().name != "debug", reason=f"needs KERNEL=debug: {reason}")
