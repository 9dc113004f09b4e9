# SPDX-License-Identifier: GPL-2.0
"""The lab: builds the module and runs guests. This package runs inside of the lab's root."""
