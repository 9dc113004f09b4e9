// SPDX-License-Identifier: GPL-2.0
/* What a program is told of the hash of each frame of device_hashes.py. */

#include <linux/if_ether.h>
#include <xdp.bpf.h>

enum { FRAMES = 64 };

enum xdp_rss_hash_type { XDP_RSS_TYPE_NONE };

struct told {
	int error;
	__u32 hash;
	__u32 kind;
	__u32 seen;
};

/* By the number of the frame, which the source address ends in. */
struct {
	int (*type)[BPF_MAP_TYPE_ARRAY];
	int (*max_entries)[FRAMES];
	__u32 *key;
	struct told *value;
} frames SECTION(".maps");

static void *(*lookup)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;

extern int bpf_xdp_metadata_rx_hash(const struct xdp_md *ctx, __u32 *hash, enum xdp_rss_hash_type *kind) SECTION(".ksyms");

SECTION("xdp") int hash(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	enum xdp_rss_hash_type kind = XDP_RSS_TYPE_NONE;
	struct told *told;
	__u32 number;

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end || eth->h_source[0] != 2 || eth->h_source[1] || eth->h_source[2])
		return XDP_PASS;
	number = eth->h_source[5];
	told = lookup(&frames, &number);
	if (!told)
		return XDP_PASS;
	told->error = bpf_xdp_metadata_rx_hash(ctx, &told->hash, &kind);
	told->kind = kind;
	told->seen = 1;
	return XDP_PASS;
}
