# SPDX-License-Identifier: GPL-2.0
"""Tests that make sense with one of the kernels only, or where there is time for all."""

import os

import pytest

from lab import kernel


def stock_only(reason):
    return pytest.mark.skipif(kernel.chosen() is not kernel.STOCK, reason=f"not for the {kernel.chosen().name} kernel: {reason}")


def debug_only(reason):
    return pytest.mark.skipif(kernel.chosen().name != "debug", reason=f"needs KERNEL=debug: {reason}")


def all_only(reason):
    """With the debug kernel; with the stock one there is time enough."""
    return pytest.mark.skipif(os.environ.get("VARIANTS") == "some", reason=f"needs VARIANTS=all: {reason}")


def whole_only(reason):
    return pytest.mark.skipif(os.environ.get("VARIANTS") != "all", reason=f"needs VARIANTS=all: {reason}")
