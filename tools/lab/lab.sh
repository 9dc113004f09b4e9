#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# lab.sh COMMAND...: runs COMMAND in the lab, after making what the lab lacks.
# lab.sh          : makes what the lab lacks, and no more.
#
# With LAB_LAYER=FOLDER..., folders of the repository, the layers that are made from them are there too (layer.sh, machine.sh);
# with KERNEL=debug, that of tools/debug is.
#
# Called by the top Makefile. The first thing is to have the kernel kill this script when its parent dies, so
# that no death of `make` leaves anything running.
set -euo pipefail

LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
LAB_REPO=$(cd "$LAB_DIR/../.." && pwd -P)
. "$LAB_DIR/lib.sh"

[ -e /etc/debian_version ] && command -v apt-get >/dev/null ||
	die "the lab needs a Debian 12 or 13 host (apt-get); elsewhere, build with \`make KDIR=...\`"
[ "$(id -u)" = 0 ] ||
	die "the lab needs root (namespaces, TAP devices, a Debian root): run it with sudo, or as root"
[ "$(uname -m)" = x86_64 ] || die "the lab needs an x86_64 host, this one is $(uname -m)"

if [ -z "${LAB_GUARDED:-}" ]; then
	LAB_GUARDED=1 exec setpriv --pdeathsig KILL "${BASH_SOURCE[0]}" "$@"
fi
unset LAB_GUARDED

LAB_CACHE=${LAB_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/virtio-net-rust}
mkdir -p "$LAB_CACHE" || die "cannot make the cache folder $LAB_CACHE; set LAB_CACHE to one that can be written"
LAB_CACHE=$(cd "$LAB_CACHE" && pwd -P)

# One folder of logs for each run, in that of the run that started it, if one did. The last fifty are kept.
logs=${LAB_LOGDIR:-$LAB_REPO/build/log}
LAB_LOGDIR=$logs/${LAB_NAME:-lab}-$(date +%m%d-%H%M%S)-$$
mkdir -p "$LAB_LOGDIR"
(cd "$logs" && ls -dt -- */ | tail -n +51 | xargs -r rm -rf --)
LAB_LOG=$LAB_LOGDIR/setup.log

. "$LAB_DIR/suite.sh"
. "$LAB_DIR/setup.sh"
. "$LAB_DIR/enter.sh"
. "$LAB_DIR/layer.sh"
. "$LAB_DIR/machine.sh"

setup
layers=
for folder in ${LAB_LAYER:-} $([ "${KERNEL:-}" != debug ] || echo tools/debug); do
	if [ -e "$LAB_REPO/$folder/debian.txt" ]; then
		setup_machine "$LAB_REPO/$folder"
	else
		setup_layer "$LAB_REPO/$folder"
	fi
	layers="$layers $LAB_LAYER"
done
LAB_LAYER=${layers# }
[ $# = 0 ] && exit
enter "$LAB_ENTRY" "$@"
