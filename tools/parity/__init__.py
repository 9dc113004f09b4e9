# SPDX-License-Identifier: GPL-2.0
"""What each driver answers to the same question on the same device."""
