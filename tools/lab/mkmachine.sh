#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# mkmachine.sh LIST FOLDER RELEASE MIRROR: makes FOLDER/root, a Debian with the packages of LIST and the stock kernel RELEASE, of
# which nothing is started.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/suite.sh"
list=$1 folder=$2 release=$3 mirror=$4

apt-config dump Acquire >"$folder/apt.conf"
preferences='Package: src:linux src:linux-signed-amd64 src:linux-base
Pin: release n='$SUITE'-backports
Pin-Priority: 600'

export TMPDIR=$folder/tmp
mkdir -m 1777 "$TMPDIR"
mmdebstrap --variant=minbase --components=main --aptopt="$folder/apt.conf" \
	--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
	--setup-hook="mkdir -p \"\$1/etc/apt/preferences.d\"; echo '$preferences' >\"\$1/etc/apt/preferences.d/backports\"" \
	--include="$( (sed '/^#/d; /^$/d' "$list" && echo "linux-image-$release") | xargs | tr ' ' ,)" \
	"$SUITE" "$folder/root" "deb $mirror $SUITE main" "deb $mirror $SUITE-backports main"
rm -rf "$TMPDIR" "$folder/apt.conf"
# What is installed later comes from the tests: no mirror is to be asked, nor any setting of this host to be kept.
rm -f "$folder"/root/etc/apt/{sources.list,apt.conf.d/99mmdebstrap} "$folder"/root/var/lib/apt/lists/*_*
