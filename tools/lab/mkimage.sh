#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# mkimage.sh RELEASE: runs in the lab's root and makes the guest's disk, initial ram disk and kernel in /lab/entry.
#
# The disk is the root itself less what only builds need. The module under test is not in it: it comes with each
# run, as a second archive behind the initial ram disk.
set -euo pipefail
release=$1
modules=/usr/lib/modules/$release

# The mounts live in this run's own namespace: empty folders over what the guest does not need.
mount --bind / /mnt
for folder in usr/src usr/include usr/lib/rustlib usr/lib/llvm-* usr/lib/gcc usr/libexec/gcc usr/share/qemu \
		usr/lib/x86_64-linux-gnu/qemu var/cache var/lib/apt; do
	[ ! -d "/mnt/$folder" ] || mount -t tmpfs -o mode=0755 empty "/mnt/$folder"
done
rm -f /lab/entry/guest.ext4
mkfs.ext4 -q -O ^has_journal -E lazy_itable_init=1 -d /mnt /lab/entry/guest.ext4 3G

initrd=$(mktemp -d)
mkdir -p "$initrd"/{bin,dev,modules,payload,proc,root,sys}
cp /usr/bin/busybox "$initrd/bin/busybox"
install -m 755 /src/tools/lab/initrd-init "$initrd/init"
for module in virtio_pci virtio_mmio virtio_blk; do
	modprobe --set-version "$release" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r file; do
	case $file in
	*.xz) xz -dc "$file" >"$initrd/modules/$(basename "$file" .xz)" ;;
	*.zst) zstd -dc "$file" >"$initrd/modules/$(basename "$file" .zst)" ;;
	*) cp "$file" "$initrd/modules/" ;;
	esac
	basename "$file" | sed 's/\.ko\..*/.ko/' >>"$initrd/modules/order"
done
(cd "$initrd" && find . | cpio --quiet -o -H newc) >/lab/entry/initrd.cpio
cp "$modules/vmlinuz" /lab/entry/vmlinuz
