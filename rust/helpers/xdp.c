// SPDX-License-Identifier: GPL-2.0

#include <linux/bpf_trace.h>
#include <linux/filter.h>
#include <linux/mm.h>
#include <linux/netlink.h>
#include <linux/scatterlist.h>
#include <linux/skbuff.h>
#include <net/page_pool/helpers.h>
#include <net/xdp.h>

__rust_helper u32 rust_helper_bpf_prog_run_xdp(const struct bpf_prog *prog, struct xdp_buff *xdp)
{
	return bpf_prog_run_xdp(prog, xdp);
}

/* Whether @prog takes packets of several buffers. */
__rust_helper bool rust_helper_bpf_prog_has_frags(const struct bpf_prog *prog)
{
	return prog->aux->xdp_has_frags;
}

__rust_helper void rust_helper_trace_xdp_exception(const struct net_device *dev,
						   const struct bpf_prog *prog, u32 act)
{
	trace_xdp_exception(dev, prog, act);
}

__rust_helper void rust_helper_netlink_ext_ack_set(struct netlink_ext_ack *extack, const char *text)
{
	if (extack)
		extack->_msg = text;
}

/* The number of this CPU, with softirqs off. */
__rust_helper u32 rust_helper_this_cpu(void)
{
	return smp_processor_id();
}

/* Registers @rxq, which is zeroed, for the receive queue @index of @dev, whose buffers come from @pool. */
__rust_helper int rust_helper_xdp_rxq_info_reg_pool(struct xdp_rxq_info *rxq,
						    struct net_device *dev, u32 index,
						    struct page_pool *pool)
{
	int err = xdp_rxq_info_reg(rxq, dev, index, 0);

	if (err)
		return err;

	err = xdp_rxq_info_reg_mem_model(rxq, MEM_TYPE_PAGE_POOL, pool);
	if (err)
		xdp_rxq_info_unreg(rxq);
	return err;
}

/* @len bytes of data, @headroom bytes into the page_pool fragment of @size bytes at @start. */
__rust_helper void rust_helper_xdp_buff_init(struct xdp_buff *xdp, struct xdp_rxq_info *rxq,
					     void *start, u32 size, u32 headroom, u32 len)
{
	xdp_init_buff(xdp, size, rxq);
	xdp_prepare_buff(xdp, start, headroom, len, true);
}

/* Appends @len bytes at @va, in a page_pool fragment of @truesize bytes. */
__rust_helper bool rust_helper_xdp_buff_add_va(struct xdp_buff *xdp, void *va, u32 len,
					       u32 truesize)
{
	struct page *page = virt_to_head_page(va);

	return xdp_buff_add_frag(xdp, page_to_netmem(page), va - page_address(page), len, truesize);
}

/* Returns the fragments of a buffer to their pool, in the poll function of the pool's NAPI context. */
__rust_helper void rust_helper_xdp_buff_put_frags(struct xdp_buff *xdp)
{
	struct skb_shared_info *sinfo;
	u32 i;

	if (likely(!xdp_buff_has_frags(xdp)))
		return;

	sinfo = xdp_get_shared_info_from_buff(xdp);
	for (i = 0; i < sinfo->nr_frags; i++)
		xdp_return_frag(skb_frag_netmem(&sinfo->frags[i]), xdp);
}

/* An skb around a buffer of page_pool fragments. */
__rust_helper struct sk_buff *rust_helper_napi_build_xdp_skb(struct xdp_buff *xdp)
{
	const struct skb_shared_info *sinfo = xdp_get_shared_info_from_buff(xdp);
	u32 nr_frags = 0, size = 0, truesize = 0, metasize = xdp->data - xdp->data_meta;
	struct sk_buff *skb;

	/* What is said of the fragments lies where the skb keeps it, and is cleared but for the list. */
	if (unlikely(xdp_buff_has_frags(xdp))) {
		nr_frags = sinfo->nr_frags;
		size = sinfo->xdp_frags_size;
		truesize = sinfo->xdp_frags_truesize;
	}

	skb = napi_build_skb(xdp->data_hard_start, xdp->frame_sz);
	if (unlikely(!skb))
		return NULL;

	skb_mark_for_recycle(skb);
	skb_reserve(skb, xdp->data - xdp->data_hard_start);
	__skb_put(skb, xdp->data_end - xdp->data);
	if (metasize)
		skb_metadata_set(skb, metasize);
	if (unlikely(nr_frags))
		xdp_update_skb_frags_info(skb, nr_frags, size, truesize,
					  xdp_buff_get_skb_flags(xdp));
	return skb;
}

__rust_helper struct xdp_frame *rust_helper_xdp_convert_buff_to_frame(struct xdp_buff *xdp)
{
	return xdp_convert_buff_to_frame(xdp);
}

__rust_helper u32 rust_helper_xdp_get_frame_len(const struct xdp_frame *frame)
{
	return xdp_get_frame_len(frame);
}

/*
 * Describes @frame after a header of @header_len zeroes, which is in front of it if it is @pushed, else somewhere else,
 * and gets an entry of its own if it is @apart. Returns the number of entries of @sg, or 0 if it takes more than @max.
 */
__rust_helper u32 rust_helper_xdp_frame_to_sg(struct xdp_frame *frame, struct scatterlist *sg,
					      u32 max, u32 header_len, bool pushed, bool apart)
{
	const struct skb_shared_info *sinfo = xdp_get_shared_info_from_frame(frame);
	u32 i, frags = unlikely(xdp_frame_has_frags(frame)) ? sinfo->nr_frags : 0;
	u32 entries = frags + 1 + apart;

	if (unlikely(entries > max))
		return 0;

	sg_init_table(sg, entries);
	if (apart) {
		if (pushed)
			sg_set_buf(sg++, frame->data - header_len, header_len);
		else
			sg_set_page(sg++, ZERO_PAGE(0), header_len, 0);
		header_len = 0;
	}
	sg_set_buf(sg++, frame->data - header_len, header_len + frame->len);
	for (i = 0; i < frags; i++) {
		const skb_frag_t *frag = &sinfo->frags[i];

		sg_set_page(sg++, skb_frag_page(frag), skb_frag_size(frag), skb_frag_off(frag));
	}
	return entries;
}
