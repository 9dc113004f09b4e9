#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# inside.sh COMMAND...: the first process in the lab's namespaces. Mounts, then COMMAND in the root.
set -euo pipefail
entry=$ENTER_ENTRY
mode=ro
[ -z "${ENTER_SETUP:-}" ] || mode=rw

# Any folder can be the mount point: this namespace is nobody else's.
root=$entry/root
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /dev "$root/dev"
for folder in tmp var/tmp run root mnt; do
	mount -t tmpfs -o mode=0755 "$folder" "$root/$folder"
done
chmod 1777 "$root/tmp" "$root/var/tmp"
mount --bind "$LAB_REPO" "$root/src"
mount --bind "$entry/linux" "$root/lab/linux"
mount -o "remount,bind,$mode" "$root/lab/linux"
mount --bind "$entry" "$root/lab/entry"
mount -o "remount,bind,$mode" "$root/lab/entry"
mount --bind "$LAB_CACHE" "$root/lab/cache"

log=/src${LAB_LOGDIR#"$LAB_REPO"}
# An environment of its own: what the host's shell or make has set is not meant for here.
keep=()
for name in TERM KERNEL KERNEL_SERIES DRIVER TEST SEED CYCLES KSELFTEST KSELFTEST_C BENCH MUTANT VARIANTS; do
	[ -z "${!name:-}" ] || keep+=("$name=${!name}")
done
# Another name than the variable's that asks for layers: what runs in the lab may run the lab's commands.
[ -z "${LAB_LAYER:-}" ] || keep+=("LAYER=$LAB_LAYER")
status=0
chroot "$root" /usr/bin/env -i --chdir=/src \
	PATH=/usr/sbin:/usr/bin HOME=/root LANG=C.UTF-8 PYTHONPATH=/src/tools PYTHONDONTWRITEBYTECODE=1 \
	LAB_CACHE=/lab/cache LAB_LOGDIR="$log" KDIR=/lab/linux "${keep[@]}" "$@" || status=$?
exit "$status"
