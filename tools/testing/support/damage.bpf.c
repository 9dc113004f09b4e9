// SPDX-License-Identifier: GPL-2.0
/* Changes one byte of each longer packet, and no checksum. */

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#define SECTION(name) __attribute__((section(name), used))

/* Behind all headers. */
enum { PLACE = 150 };

static long (*load_bytes)(const struct __sk_buff *skb, __u32 offset, void *to, __u32 len) =
	(void *)BPF_FUNC_skb_load_bytes;
static long (*store_bytes)(struct __sk_buff *skb, __u32 offset, const void *from, __u32 len, __u64 flags) =
	(void *)BPF_FUNC_skb_store_bytes;

SECTION("tc/damage") int damage(struct __sk_buff *skb)
{
	__u8 byte;

	if (load_bytes(skb, PLACE, &byte, 1))
		return TC_ACT_OK;
	byte ^= 1;
	return store_bytes(skb, PLACE, &byte, 1, 0) ? TC_ACT_SHOT : TC_ACT_OK;
}

char license_name[] SECTION("license") = "GPL";
