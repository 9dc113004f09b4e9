// SPDX-License-Identifier: GPL-2.0
/*
 * A program for each verdict of XDP, and for each thing that one can do to a packet. They do it to the frames of
 * the tests, and let all others pass.
 */

#include <linux/if_ether.h>
#include <xdp.bpf.h>

/* The type of the tests' frames, 0x88b5, in network byte order. */
enum { FRAME = 0xb588 };

/* The types of VLAN tags, likewise. */
enum { TAG = 0x0081, OUTER_TAG = 0xa888 };

/* What a program writes before a packet. */
enum { MARK = 0x5a };

static long (*adjust_head)(struct xdp_md *ctx, int delta) = (void *)BPF_FUNC_xdp_adjust_head;
static long (*adjust_tail)(struct xdp_md *ctx, int delta) = (void *)BPF_FUNC_xdp_adjust_tail;
static long (*adjust_meta)(struct xdp_md *ctx, int delta) = (void *)BPF_FUNC_xdp_adjust_meta;
static long (*redirect)(__u32 ifindex, __u64 flags) = (void *)BPF_FUNC_redirect;

/* The sockets that frames go to, by interface: those of its first queue. */
struct {
	int (*type)[BPF_MAP_TYPE_XSKMAP];
	int (*max_entries)[256];
	__u32 *key;
	__u32 *value;
} sockets SECTION(".maps");

/* Where frames of several buffers go: those who take such have no map of devices together with those who do not. */
struct {
	int (*type)[BPF_MAP_TYPE_DEVMAP];
	int (*max_entries)[1];
	__u32 *key;
	__u32 *value;
} devices_frags SECTION(".maps");

/* The start of a frame of the tests, or NULL. */
static __always_inline struct ethhdr *frame_of(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end || eth->h_proto != FRAME)
		return 0;
	return eth;
}

/* To be sent to where it came from. */
static __always_inline void turn_back(struct ethhdr *eth)
{
	__u8 source[ETH_ALEN];

	__builtin_memcpy(source, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, source, ETH_ALEN);
}

/* Turns a frame of the tests back, and says whether it is one. */
static __always_inline int turned_back(struct xdp_md *ctx)
{
	struct ethhdr *eth = frame_of(ctx);

	if (eth)
		turn_back(eth);
	return !!eth;
}

#define BOTH(name, action)                                            \
	SECTION("xdp") int name(struct xdp_md *ctx) { return action; }      \
	SECTION("xdp.frags") int name##_frags(struct xdp_md *ctx) { return action; }

BOTH(pass, XDP_PASS)
SECTION("xdp") int drop(struct xdp_md *ctx) { return frame_of(ctx) ? XDP_DROP : XDP_PASS; }
SECTION("xdp") int aborted(struct xdp_md *ctx) { return frame_of(ctx) ? XDP_ABORTED : XDP_PASS; }
SECTION("xdp") int unknown(struct xdp_md *ctx) { return frame_of(ctx) ? 1000 : XDP_PASS; }
BOTH(tx, turned_back(ctx) ? XDP_TX : XDP_PASS)
BOTH(itself, turned_back(ctx) ? redirect(ctx->ingress_ifindex, 0) : XDP_PASS)
SECTION("xdp") int elsewhere(struct xdp_md *ctx) { return turned_back(ctx) ? redirect_map(&devices, 0, 0) : XDP_PASS; }
SECTION("xdp.frags") int elsewhere_frags(struct xdp_md *ctx) { return turned_back(ctx) ? redirect_map(&devices_frags, 0, 0) : XDP_PASS; }

BOTH(to_socket, frame_of(ctx) ? redirect_map(&sockets, ctx->ingress_ifindex, XDP_DROP) : XDP_PASS)

/* 200 bytes more in front, and none of them the device's. */
static __always_inline int longer_head(struct xdp_md *ctx)
{
	struct ethhdr old, *eth = frame_of(ctx);
	__u8 *rest;

	if (!eth)
		return XDP_PASS;
	__builtin_memcpy(&old, eth, sizeof(old));
	if (adjust_head(ctx, -200))
		return XDP_ABORTED;
	eth = (void *)(long)ctx->data;
	rest = (void *)(eth + 1);
	if (rest + 200 > (__u8 *)(long)ctx->data_end)
		return XDP_ABORTED;
	__builtin_memcpy(eth, &old, sizeof(old));
	for (int i = 0; i < 200; i++)
		rest[i] = MARK;
	turn_back(eth);
	return XDP_TX;
}

/* 10 bytes less in front. */
static __always_inline int shorter_head(struct xdp_md *ctx)
{
	struct ethhdr old, *eth = frame_of(ctx);

	if (!eth)
		return XDP_PASS;
	__builtin_memcpy(&old, eth, sizeof(old));
	if (adjust_head(ctx, 10))
		return XDP_ABORTED;
	eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	__builtin_memcpy(eth, &old, sizeof(old));
	turn_back(eth);
	return XDP_TX;
}

/* So many bytes more at the end, or less. Those are zero. */
static __always_inline int other_tail(struct xdp_md *ctx, int delta)
{
	if (!turned_back(ctx))
		return XDP_PASS;
	return adjust_tail(ctx, delta) ? XDP_ABORTED : XDP_TX;
}

/* The same, a hundred bytes more, also of frames with tags. */
static __always_inline int longer_tail(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	if (eth->h_proto != FRAME && eth->h_proto != TAG && eth->h_proto != OUTER_TAG)
		return XDP_PASS;
	turn_back(eth);
	return adjust_tail(ctx, 100) ? XDP_ABORTED : XDP_TX;
}

/* Something for whoever comes next. */
static __always_inline int metadata(struct xdp_md *ctx)
{
	struct ethhdr *eth = frame_of(ctx);
	__u32 *meta;

	if (!eth)
		return XDP_PASS;
	if (adjust_meta(ctx, -(int)sizeof(*meta)))
		return XDP_ABORTED;
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > (void *)(long)ctx->data)
		return XDP_ABORTED;
	*meta = 0x12345678;
	return XDP_PASS;
}

SECTION("xdp") int push(struct xdp_md *ctx) { return longer_head(ctx); }
SECTION("xdp") int pull(struct xdp_md *ctx) { return shorter_head(ctx); }
SECTION("xdp") int grow(struct xdp_md *ctx) { return longer_tail(ctx); }
BOTH(shrink, other_tail(ctx, -20))
SECTION("xdp") int meta(struct xdp_md *ctx) { return metadata(ctx); }
