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

# Of those in bpf the two that take a NIC and need no kernel with BTF to be built.
bpf=tree/tools/testing/selftests/bpf libbpf=$PWD/tree/libbpf
mkdir -p "$libbpf" disk/tests/bpf/programs
make -s -C tree/tools/lib/bpf OUTPUT="$libbpf/" DESTDIR="$libbpf/" prefix= "$libbpf/libbpf.a" install_headers

# program NAME PROGS SOURCE...: tests/bpf/NAME, of these sources and the BPF programs of progs/PROGS.c.
program() {
	local name=$1 progs=$2
	shift 2
	"$clang" -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -I"$libbpf/include" -Itree/tools/include/uapi \
		-I/usr/include/x86_64-linux-gnu -I"$bpf" -c "$bpf/progs/$progs.c" -o "$libbpf/$progs.o"
	bpftool gen skeleton "$libbpf/$progs.o" name "$progs" >"$libbpf/$progs.skel.h"
	gcc -O2 -w -D_GNU_SOURCE= -I"$libbpf" -I"$libbpf/include" -I"$bpf" -Itree/tools/include -Itree/tools/arch/x86/include \
		-Itree/tools/include/uapi -I"$bpf/.." "$@" "$bpf/network_helpers.c" "$libbpf/libbpf.a" -lelf -lz -lpthread \
		-o "disk/tests/bpf/$name"
}
program xskxceiver xsk_xdp_progs "$bpf"/{xskxceiver,xsk,prog_tests/test_xsk}.c tree/tools/lib/find_bit.c
program programs/xdp_features xdp_features "$bpf/xdp_features.c"

# What the kernel's test_xdp_features.sh has that program do with veth, with a NIC whose peer is in a namespace.
cat >disk/tests/bpf/xdp_features <<'EOF'
#!/bin/bash
peer=$1
number=0
echo 1..6
for verdict in XDP_PASS XDP_DROP XDP_ABORTED XDP_TX XDP_REDIRECT XDP_NDO_XMIT; do
	number=$((number + 1))
	words=(-f "$verdict" -D "$LOCAL_V6" -T "$REMOTE_V6")
	./programs/xdp_features "${words[@]}" "$NETIF" &
	until ss -Htln sport = :12345 | grep -q . || ! kill -0 $!; do
		sleep 0.1
	done
	said=$(ip netns exec "$REMOTE_ARGS" timeout 60 ./programs/xdp_features -t "${words[@]}" -C "$LOCAL_V6" "$peer")
	echo "# $said"
	# In colours, and each of them may have NOT in front.
	[[ $said == *mDETECTED*mADVERTISED* ]] && echo "ok $number $verdict" || echo "not ok $number $verdict"
	kill $! 2>/dev/null
	wait $! 2>/dev/null
	ip link set "$NETIF" xdp off
	ip -n "$REMOTE_ARGS" link set "$peer" xdp off
done
EOF
chmod +x disk/tests/bpf/xdp_features

mkfs.ext4 -q -O ^has_journal -E lazy_itable_init=1 -d disk disk.ext4 512M
rm -rf tree disk debs
