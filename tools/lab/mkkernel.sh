#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# mkkernel.sh RELEASE: runs in the lab's root and makes of /lab/linux a tree that Rust modules for Debian's stock
# kernel RELEASE can be built against.
#
# Debian's headers lack the Rust metadata. The same compilers make the same again from the source package:
# symbol names match those in the stock Module.symvers.
set -euo pipefail
release=$1
headers=/usr/src/linux-headers-$release
series=$(cut -d. -f1-2 <<<"$release")
cd /lab/linux

tar --extract --xz --strip-components=1 --file "/usr/src/linux-source-$series.tar.xz"
version=$(make -s kernelversion)
[ "${release#"$version"+}" != "$release" ] || {
	echo "the source package has $version, which is not that of $release"
	exit 1
}
cp "$headers/.config" .config
cc=$(sed -n 's/^CONFIG_CC_VERSION_TEXT="\([^ "]*\).*/\1/p' .config)
run() {
	make -j"$(nproc)" CC="$cc" LOCALVERSION="${release#"$version"}" "$@"
}
run olddefconfig
grep -q '^CONFIG_RUST=y' .config || {
	echo "CONFIG_RUST was lost: the compilers of the root are not those of kernel $release"
	make rustavailable CC="$cc" || true
	exit 1
}
run prepare
run modules_prepare
cp "$headers/Module.symvers" .
[ "$(cat include/config/kernel.release)" = "$release" ]
