# SPDX-License-Identifier: GPL-2.0
"""The driver with one bound removed on purpose, to see that a test notices."""
