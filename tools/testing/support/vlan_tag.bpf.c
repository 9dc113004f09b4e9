// SPDX-License-Identifier: GPL-2.0
/* What a VLAN device does, for hosts that have none: the tag is put on and taken off at the edge of the interface. */

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#define VLAN_ID 5
/* 0x8100, in network byte order. */
#define VLAN_PROTOCOL 0x0081

#define SECTION(name) __attribute__((section(name), used))

static long (*skb_vlan_push)(struct __sk_buff *skb, __be16 protocol, __u16 id) = (void *)BPF_FUNC_skb_vlan_push;
static long (*skb_vlan_pop)(struct __sk_buff *skb) = (void *)BPF_FUNC_skb_vlan_pop;

SECTION("tc/push") int push(struct __sk_buff *skb)
{
	return skb_vlan_push(skb, VLAN_PROTOCOL, VLAN_ID) ? TC_ACT_SHOT : TC_ACT_OK;
}

/* Whoever does not tag its frames is not heard. */
SECTION("tc/pop") int pop(struct __sk_buff *skb)
{
	if (!skb->vlan_present || (skb->vlan_tci & 0xfff) != VLAN_ID)
		return TC_ACT_SHOT;
	return skb_vlan_pop(skb) ? TC_ACT_SHOT : TC_ACT_OK;
}

char license_name[] SECTION("license") = "GPL";
