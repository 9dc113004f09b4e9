#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build.sh FOLDER: runs in the lab's root; makes of the packages in FOLDER/debs the archive FOLDER/xdp-tools.tar, for a guest's root.
set -euo pipefail
cd "$1"

for package in debs/{xdp-tools,libxdp1}_*.deb; do
	dpkg-deb --extract "$package" root
done
tar -C root -cf xdp-tools.tar usr/lib usr/sbin
rm -rf root debs
