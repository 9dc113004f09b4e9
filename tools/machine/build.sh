#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build.sh FOLDER: runs in the lab's root; makes FOLDER/root, a Debian, one that boots from a disk and has the lab's agent, as the
# archive FOLDER/root.tar.zst, and unpacks the packages in FOLDER/debs into FOLDER/tools.
set -euo pipefail
cd "$1"
here=$(cd "$(dirname "$0")" && pwd)
root=$PWD/root

mkdir tools
for package in debs/*.deb; do
	dpkg-deb --extract "$package" tools
done
# Of what the target of iSCSI depends on, most is for a script that is of no use here.
rm -rf tools/usr/share/perl tools/usr/lib/x86_64-linux-gnu/{perl,libperl.so*}

cp -a "$here/files/." root
chown -R root: root/boot/grub root/usr/local root/etc/systemd
echo machine >root/etc/hostname
echo 'LABEL=machine / ext4 defaults 0 1' >root/etc/fstab
: >root/etc/machine-id
mount -t proc proc root/proc
chroot root passwd --quiet --delete root
chroot root systemctl --quiet enable systemd-networkd lab-agent
# What a machine does at a time of its own.
chroot root systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
	e2scrub_reap.service fstrim.timer getty@tty1.service systemd-firstboot.service systemd-timesyncd.service
release=$(basename root/boot/vmlinuz-* | cut -d- -f2-)
sed -i "s/RELEASE/$release/" root/boot/grub/grub.cfg
# All of GRUB that it takes, for the sectors before the first partition.
chroot root grub-mkimage --format=i386-pc --output=/boot/core.img '--prefix=(hd0,msdos1)/boot/grub' \
	biosdisk part_msdos ext2 normal linux
umount root/proc
tar -C root --zstd -cf root.tar.zst .
rm -rf root debs
