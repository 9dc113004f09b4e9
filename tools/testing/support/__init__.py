# SPDX-License-Identifier: GPL-2.0
"""What tests that run in a guest share beyond the lab itself."""
