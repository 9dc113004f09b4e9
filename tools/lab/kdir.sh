#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kdir.sh KDIR [CC]: fails with one line when no Rust module for a supported kernel can be built against KDIR.
. "$(dirname "$0")/suite.sh"
kdir=$1 cc=${2:-}
way_out='`make module` builds in the lab, which needs no kernel tree; or name a prepared one with KDIR=...'

fail() {
	echo "error: $* ($way_out)" >&2
	exit 1
}

[ -d "$kdir" ] || fail "there is no kernel tree at KDIR=$kdir"
[ -r "$kdir/include/config/kernel.release" ] || fail "KDIR=$kdir is no kernel tree that was configured and prepared"
release=$(cat "$kdir/include/config/kernel.release")
newer_or_equal "$release" "$OLDEST_SERIES" ||
	fail "KDIR=$kdir is Linux $release; the driver needs $OLDEST_SERIES or newer"
grep -q '^CONFIG_RUST=y' "$kdir/include/config/auto.conf" ||
	fail "KDIR=$kdir, Linux $release, was configured without CONFIG_RUST"
grep -q '^CONFIG_64BIT=y' "$kdir/include/config/auto.conf" ||
	fail "KDIR=$kdir, Linux $release, is for a 32-bit machine; the driver needs a 64-bit one"
grep -q '^CONFIG_NET_DEVLINK=y' "$kdir/include/config/auto.conf" ||
	fail "KDIR=$kdir, Linux $release, was configured without CONFIG_NET_DEVLINK, which drivers such as netdevsim select"
[ -e "$kdir/rust/libkernel.rmeta" ] || fail "KDIR=$kdir, Linux $release, lacks the Rust metadata (rust/libkernel.rmeta)"
[ -z "$cc" ] || command -v "$cc" >/dev/null ||
	fail "KDIR=$kdir was prepared with $cc, which is not installed here"
