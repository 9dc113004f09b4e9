#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Which driver has a NIC is decided in the initial ram disk, where it comes first.

check() {
	return 0
}

installkernel() {
	# Those of a machine that has no such NIC now, too.
	hostonly='' instmods virtio_net virtio_net_rust
}

install() {
	inst_multiple cat flock mkdir readlink rm sh tr
	inst_rules 79-virtio-net-rust.rules
	inst_multiple /etc/virtio-net-rust.conf /usr/lib/modprobe.d/virtio-net-rust.conf \
		/usr/libexec/virtio-net-rust/choose /usr/share/virtio-net-rust/lib.sh
}
