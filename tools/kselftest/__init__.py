# SPDX-License-Identifier: GPL-2.0
"""The kernel's own network selftests, run with the C driver and with the project's, and compared."""
