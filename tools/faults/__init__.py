# SPDX-License-Identifier: GPL-2.0
"""What becomes of each fault of a device, with our driver and with the C driver."""
