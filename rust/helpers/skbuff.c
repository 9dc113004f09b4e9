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

/* Appends @len bytes at @va, in a page_pool fragment, to an skb made of such fragments. */
__rust_helper bool rust_helper_skb_add_pp_frag(struct sk_buff *skb, void *va, unsigned int len,
					       unsigned int truesize)
{
	struct page *page = virt_to_head_page(va);
	int nr = skb_shinfo(skb)->nr_frags;

	if (unlikely(nr >= MAX_SKB_FRAGS))
		return false;

	skb_add_rx_frag(skb, nr, page, va - page_address(page), len, truesize);
	return true;
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

__rust_helper void rust_helper_sg_set_buf(struct scatterlist *sg, const void *buf, unsigned int len)
{
	sg_set_buf(sg, buf, len);
}

__rust_helper int rust_helper_virtio_net_hdr_from_skb(const struct sk_buff *skb,
						      struct virtio_net_hdr *hdr,
						      bool little_endian)
{
	return virtio_net_hdr_from_skb(skb, hdr, little_endian, false, 0);
}

/* Applies a received header: checksum state, then the bounds of a partial checksum and of GSO. */
__rust_helper int rust_helper_virtio_net_hdr_to_skb(struct sk_buff *skb, struct net_device *dev,
						    struct virtio_net_hdr *hdr, bool little_endian)
{
	int err = virtio_net_handle_csum_offload(skb, hdr, false);

	if (err)
		return err;

	skb->dev = dev;
	skb_set_network_header(skb, ETH_HLEN);
	return virtio_net_hdr_to_skb(skb, hdr, little_endian);
}

/* Hands a packet that starts with its Ethernet header to the stack. */
__rust_helper void rust_helper_napi_receive_eth(struct napi_struct *napi, struct sk_buff *skb,
						u16 queue)
{
	skb_record_rx_queue(skb, queue);
	skb->protocol = eth_type_trans(skb, napi->dev);
	napi_gro_receive(napi, skb);
}
