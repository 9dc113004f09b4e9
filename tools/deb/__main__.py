# SPDX-License-Identifier: GPL-2.0
"""`make deb`: makes the packages in build/deb."""

from deb import packages
from lab import kernel
from lab.paths import die, shown

if kernel.chosen() is not kernel.STOCK:
    die("packages are made for the stock kernel")
for path in packages.make():
    print(f"{shown(path)}, {path.stat().st_size / 1000:.0f} kB")
