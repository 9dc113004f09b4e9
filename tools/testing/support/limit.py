# SPDX-License-Identifier: GPL-2.0
"""How long a driver waits for the answer to a command: ours as long as it is told, C for ever. Ours does nothing about it then."""

from lab import driver as drivers

# In seconds: what has not come to an end by then hangs. The limit that our driver gets is far below it.
HANGS = 20


def load(guest, driver, milliseconds):
    """Loads the driver with this limit, if it has one."""
    driver.load(guest, *([f"control_timeout={milliseconds}", "stall_timeout=0"] if driver is drivers.RUST else []))
