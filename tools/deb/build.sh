#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build.sh FOLDER: runs in the lab's root; unpacks the packages in FOLDER/debs into FOLDER/tools.
set -euo pipefail
cd "$1"

mkdir tools
for package in debs/*.deb; do
	dpkg-deb --extract "$package" tools
done
rm -rf debs
