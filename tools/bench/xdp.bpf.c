// SPDX-License-Identifier: GPL-2.0
/* A program for each verdict of XDP, as short as can be: what is measured is the way there and back. */

#include <linux/bpf.h>
#include <linux/if_ether.h>

#define SECTION(name) __attribute__((section(name), used))

/* Where frames go. */
struct {
	int (*type)[BPF_MAP_TYPE_DEVMAP];
	int (*max_entries)[1];
	__u32 *key;
	__u32 *value;
} devices SECTION(".maps");

static long (*redirect_map)(void *map, __u64 key, __u64 flags) = (void *)BPF_FUNC_redirect_map;

SECTION("xdp") int pass(struct xdp_md *ctx) { return XDP_PASS; }
SECTION("xdp") int drop(struct xdp_md *ctx) { return XDP_DROP; }
SECTION("xdp") int tx(struct xdp_md *ctx) { return XDP_TX; }
SECTION("xdp") int redirect(struct xdp_md *ctx) { return redirect_map(&devices, 0, 0); }

char license_name[] SECTION("license") = "GPL";
