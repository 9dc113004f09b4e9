// SPDX-License-Identifier: GPL-2.0
/* A program for each verdict of XDP, as short as can be: what is measured is the way there and back. */

#include <xdp.bpf.h>

SECTION("xdp") int pass(struct xdp_md *ctx) { return XDP_PASS; }
SECTION("xdp") int drop(struct xdp_md *ctx) { return XDP_DROP; }
SECTION("xdp") int tx(struct xdp_md *ctx) { return XDP_TX; }
SECTION("xdp") int redirect(struct xdp_md *ctx) { return redirect_map(&devices, 0, 0); }

/* The sockets that packets go to, by interface. */
struct {
	int (*type)[BPF_MAP_TYPE_XSKMAP];
	int (*max_entries)[64];
	__u32 *key;
	__u32 *value;
} sockets SECTION(".maps");

SECTION("xdp") int to_socket(struct xdp_md *ctx) { return redirect_map(&sockets, ctx->ingress_ifindex, XDP_DROP); }
