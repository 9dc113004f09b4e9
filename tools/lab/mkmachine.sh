#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# mkmachine.sh LIST MORE FOLDER RELEASE MIRROR: makes FOLDER/root, a Debian with the packages of LIST and the stock kernel RELEASE, of
# which nothing is started. FOLDER/more has for each package of MORE, and for `kernel`, which is that of another series if there is one,
# a folder with all that this Debian lacks to install it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/suite.sh"
list=$1 more=$2 folder=$3 release=$4 mirror=$5

apt-config dump Acquire >"$folder/apt.conf"
preferences='Package: src:linux src:linux-signed-amd64 src:linux-base
Pin: release n='$SUITE'-backports
Pin-Priority: 600'

# packages LIST: the words of it.
packages() {
	sed '/^#/d; /^$/d' "$1" | xargs
}

LAB_LOG=/dev/null
other=$(suite_kernels "$mirror" "$folder/suite" | sed -n "/ $release$/d; s/.* /kernel=linux-image-/p" | head -n 1)
rm -rf "$folder/suite"
# shellcheck disable=SC2016  # It is for the hook's shell
download='for word in '"$(packages "$more") $other"'; do
	place=/more/${word%=*}
	mkdir -p "$1$place/partial"
	chroot "$1" apt-get --yes --no-install-recommends --download-only -o "Dir::Cache::archives=$place" install "${word#*=}"
	rm -r "$1$place/partial" "$1$place/lock"
done'

export TMPDIR=$folder/tmp
mkdir -m 1777 "$TMPDIR"
mmdebstrap --variant=minbase --components=main --aptopt="$folder/apt.conf" \
	--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
	--setup-hook="mkdir -p \"\$1/etc/apt/preferences.d\"; echo '$preferences' >\"\$1/etc/apt/preferences.d/backports\"" \
	--include="$(tr ' ' , <<<"$(packages "$list") linux-image-$release")" \
	--customize-hook="$download" \
	"$SUITE" "$folder/root" "deb $mirror $SUITE main" "deb $mirror $SUITE-backports main"
mv "$folder/root/more" "$folder/more"
rm -rf "$TMPDIR" "$folder/apt.conf"
# What is installed later comes from the tests: no mirror is to be asked, nor any setting of this host to be kept.
rm -f "$folder"/root/etc/apt/{sources.list,apt.conf.d/99mmdebstrap} "$folder"/root/var/lib/apt/lists/*_*
