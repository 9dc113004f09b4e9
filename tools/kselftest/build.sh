#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build.sh FOLDER: runs in the lab's root; makes of the kernel's source and the packages in FOLDER/debs the disk
# FOLDER/disk.ext4, with the network selftests in /tests and the packages in /tools.
set -euo pipefail
cd "$1"

mkdir -p disk/tools
for package in debs/*.deb; do
	dpkg-deb --extract "$package" disk/tools
done
export PYTHONPATH=$PWD/disk/tools/usr/lib/python3/dist-packages

# Building writes into the tree, and /lab/linux is everybody's.
mkdir tree
tar -C /lab/linux -c --exclude='*.o' Documentation/netlink Kbuild Kconfig MAINTAINERS Makefile arch/x86 include scripts tools usr |
	tar -C tree -x
clang=$(basename "$(find /usr/bin -name 'clang-[0-9]*' | sort -V | tail -n 1)")
make -C tree -j"$(nproc)" headers
make -C tree/tools/testing/selftests -j"$(nproc)" CLANG="$clang" FORCE_TARGETS=1 \
	TARGETS='net/lib drivers/net drivers/net/hw drivers/net/virtio_net net' KSFT_INSTALL_PATH="$PWD/disk/tests" install

# Of those in bpf the one that needs no kernel with BTF.
bpf=tree/tools/testing/selftests/bpf libbpf=$PWD/tree/libbpf
mkdir -p "$libbpf" disk/tests/bpf
make -s -C tree/tools/lib/bpf OUTPUT="$libbpf/" DESTDIR="$libbpf/" prefix= "$libbpf/libbpf.a" install_headers
"$clang" -g -O2 -target bpf -mcpu=v3 -I"$libbpf/include" -Itree/tools/include/uapi -I/usr/include/x86_64-linux-gnu -I"$bpf" \
	-c "$bpf/progs/xsk_xdp_progs.c" -o "$libbpf/xsk_xdp_progs.o"
bpftool gen skeleton "$libbpf/xsk_xdp_progs.o" name xsk_xdp_progs >"$libbpf/xsk_xdp_progs.skel.h"
gcc -O2 -w -D_GNU_SOURCE= -I"$libbpf" -I"$libbpf/include" -I"$bpf" -Itree/tools/include -Itree/tools/arch/x86/include \
	-Itree/tools/include/uapi -I"$bpf/.." "$bpf"/{xskxceiver,xsk,network_helpers,prog_tests/test_xsk}.c tree/tools/lib/find_bit.c \
	"$libbpf/libbpf.a" -lelf -lz -lpthread -o disk/tests/bpf/xskxceiver

mkfs.ext4 -q -O ^has_journal -E lazy_itable_init=1 -d disk disk.ext4 512M
rm -rf tree disk debs
