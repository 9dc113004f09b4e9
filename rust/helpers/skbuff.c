// SPDX-License-Identifier: GPL-2.0

#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/virtio_net.h>
#include <net/page_pool/helpers.h>

__rust_helper void rust_helper_skb_tx_timestamp(struct sk_buff *skb)
{
	skb_tx_timestamp(skb);
}

/*
 * Takes from a packet that is about to be sent all that would be kept waiting until it is freed: its
 * sender's memory, socket, route and connection. Fails if there is no memory for a copy.
 */
__rust_helper bool rust_helper_skb_tx_orphan(struct sk_buff *skb)
{
	if (unlikely(skb_orphan_frags(skb, GFP_ATOMIC)))
		return false;

	skb_orphan(skb);
	skb_dst_drop(skb);
	nf_reset_ct(skb);
	return true;
}

/* The device has computed @hash of the addresses, and of the ports if @of_ports. */
__rust_helper void rust_helper_skb_set_hash_of(struct sk_buff *skb, u32 hash, bool of_ports)
{
	skb_set_hash(skb, hash, of_ports ? PKT_HASH_TYPE_L4 : PKT_HASH_TYPE_L3);
}

/* An skb around the page_pool fragment at @start: @headroom bytes, then @len of data. */
__rust_helper struct sk_buff *
rust_helper_napi_build_pp_skb(void *start, unsigned int truesize, unsigned int headroom,
			      unsigned int len)
{
	struct sk_buff *skb = napi_build_skb(start, truesize);

	if (unlikely(!skb))
		return NULL;

	skb_mark_for_recycle(skb);
	skb_reserve(skb, headroom);
	__skb_put(skb, len);
	return skb;
}

/* An skb with a copy of @len bytes at @data, and room for @room. */
__rust_helper struct sk_buff *
rust_helper_napi_copy_skb(struct napi_struct *napi, const void *data, unsigned int len,
			  unsigned int room)
{
	struct sk_buff *skb = napi_alloc_skb(napi, room);

	if (unlikely(!skb))
		return NULL;

	skb_mark_for_recycle(skb);
	skb_put_data(skb, data, len);
	return skb;
}

/*
 * Appends @len bytes at @va, in a page_pool fragment, to a packet of such fragments. @tail is @head
 * or the last skb in its frag_list. Returns the skb that has taken the fragment, or NULL.
 */
__rust_helper struct sk_buff *
rust_helper_skb_append_pp_frag(struct sk_buff *head, struct sk_buff *tail, void *va,
			       unsigned int len, unsigned int truesize)
{
	struct page *page = virt_to_head_page(va);
	int nr = skb_shinfo(tail)->nr_frags;

	if (unlikely(nr >= MAX_SKB_FRAGS)) {
		struct sk_buff *next = alloc_skb(0, GFP_ATOMIC | __GFP_NOWARN);

		if (!next)
			return NULL;
		skb_mark_for_recycle(next);
		if (tail == head)
			skb_shinfo(head)->frag_list = next;
		else
			tail->next = next;
		head->truesize += next->truesize;
		tail = next;
		nr = 0;
	}

	skb_add_rx_frag(tail, nr, page, va - page_address(page), len, truesize);
	if (tail != head) {
		head->len += len;
		head->data_len += len;
		head->truesize += truesize;
	}
	return tail;
}

__rust_helper u16 rust_helper_skb_gso_segs(const struct sk_buff *skb)
{
	return skb_shinfo(skb)->gso_segs;
}

__rust_helper unsigned int rust_helper_skb_nr_frags(const struct sk_buff *skb)
{
	return skb_shinfo(skb)->nr_frags;
}

/* The room in front of the data that a driver may write to. */
__rust_helper bool rust_helper_skb_can_push(const struct sk_buff *skb, unsigned int len,
					    unsigned int align)
{
	return IS_ALIGNED((unsigned long)skb->data, align) && !skb_header_cloned(skb) &&
	       skb_headroom(skb) >= len;
}

/* The first 10 bytes of a header, and the tunnel's fields of one that has them. */
__rust_helper int
rust_helper_virtio_net_hdr_from_skb(struct sk_buff *skb, struct virtio_net_hdr_v1_hash_tunnel *hdr,
				    bool little_endian, bool tunnel, bool exact_hdr_len)
{
	/* A packet of which there is nothing to say. */
	if (!skb_is_gso(skb) && skb->ip_summed != CHECKSUM_PARTIAL) {
		memset(hdr, 0, sizeof(struct virtio_net_hdr));
		return 0;
	}
	return virtio_net_hdr_tnl_from_skb(skb, hdr, tunnel, little_endian, 0, false,
					   exact_hdr_len);
}

/* Applies a received header: checksum state, then the bounds of a partial checksum and of GSO. */
__rust_helper int
rust_helper_virtio_net_hdr_to_skb(struct sk_buff *skb, struct net_device *dev,
				  struct virtio_net_hdr_v1_hash_tunnel *hdr, bool little_endian,
				  bool tunnel, bool tunnel_csum)
{
	struct virtio_net_hdr *plain = (struct virtio_net_hdr *)hdr;
	int err = virtio_net_handle_csum_offload(skb, plain, tunnel_csum);

	if (err)
		return err;
	/* Nothing to be done but what eth_type_trans() and the stack do for each packet. */
	if (plain->gso_type == VIRTIO_NET_HDR_GSO_NONE &&
	    !(plain->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return 0;

	skb->dev = dev;
	skb_set_network_header(skb, ETH_HLEN);
	return virtio_net_hdr_tnl_to_skb(skb, hdr, tunnel, tunnel_csum, little_endian);
}

/* A header has one checksum: the inner one of an encapsulated packet, if that is a GSO packet. */
__rust_helper netdev_features_t
rust_helper_virtio_net_features_check(struct sk_buff *skb, netdev_features_t features)
{
	if (skb->encapsulation && (!skb_is_gso(skb) || netif_needs_gso(skb, features)))
		return features & ~NETIF_F_CSUM_MASK;
	return features;
}

/* Hands a packet that starts with its Ethernet header to the stack. */
__rust_helper void rust_helper_napi_receive_eth(struct napi_struct *napi, struct sk_buff *skb,
						u16 queue)
{
	skb_record_rx_queue(skb, queue);
	skb->protocol = eth_type_trans(skb, napi->dev);
	napi_gro_receive(napi, skb);
}
