#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# mkroot.sh FOLDER RELEASE MIRROR: makes FOLDER/root, a Debian root that builds modules, runs QEMU and is the
# guest's own file system.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/suite.sh"
folder=$1 release=$2 mirror=$3

series=$(cut -d. -f1-2 <<<"$release")
packages=$(sed '/^#/d; /^$/d' "$here/packages.txt")
kernel="linux-headers-$release linux-binary-$release linux-modules-$release linux-source-$series"

# The host's way to the mirror (a proxy, say) is the root's too.
apt-config dump Acquire >"$folder/apt.conf"

# Everything of the kernel and of QEMU comes from backports, all the rest from the release.
preferences='Package: src:linux src:linux-signed-amd64 src:linux-base src:qemu src:seabios
Pin: release n='$SUITE'-backports
Pin-Priority: 600'

# What a killed run leaves goes with the folder.
export TMPDIR=$folder/tmp
mkdir -m 1777 "$TMPDIR"
mmdebstrap --variant=minbase --components=main --aptopt="$folder/apt.conf" \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' \
	--setup-hook="mkdir -p \"\$1/etc/apt/preferences.d\"; echo '$preferences' >\"\$1/etc/apt/preferences.d/lab\"" \
	--include="$(echo apt $packages $kernel | tr ' ' ,)" \
	"$SUITE" "$folder/root" "deb $mirror $SUITE main" "deb $mirror $SUITE-backports main"

rm -rf "$TMPDIR" "$folder/apt.conf"

# Where the lab mounts things.
mkdir -p "$folder"/root/{src,lab/cache,lab/entry,lab/linux,payload}
