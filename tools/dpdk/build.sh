#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build.sh FOLDER: runs in the lab's root; makes of the packages in FOLDER/debs the archive FOLDER/dpdk.tar, for a guest's root.
set -euo pipefail
cd "$1"

for package in debs/*.deb; do
	dpkg-deb --extract "$package" root
done
cd root
libraries=usr/lib/x86_64-linux-gnu
program=usr/bin/dpdk-testpmd
# What it loads. The packages have drivers for all that there is, and it would load each.
loaded=("$libraries"/dpdk/pmds-*/librte_{bus_vdev,mempool_ring,net_af_xdp}.so.*)

# with_links PATH: the file, and all links on the way to it: a library that is found twice must be the same file.
with_links() {
	local path=$1
	while echo "$path" && [ -L "$path" ]; do
		path=$(realpath --relative-to . "$(dirname "$path")")/$(readlink "$path")
	done
}

# What these need that the lab's root, and so the guest, lacks.
needed=$(LD_LIBRARY_PATH=$PWD/$libraries ldd "$program" "${loaded[@]}" | sed -n "s:.*=> $PWD/\([^ ]*\).*:\1:p")
for path in "$program" "$libraries/bpf" "${loaded[@]}" $needed; do
	with_links "$path"
done | sort -u >../files
tar -cf ../dpdk.tar --files-from ../files
cd ..
rm -rf root debs files
