# SPDX-License-Identifier: GPL-2.0
"""What packets cost with the C driver and with the project's, in the same guest."""
