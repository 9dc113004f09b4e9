// SPDX-License-Identifier: GPL-2.0

#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/filter.h>
#include <linux/mm.h>
#include <linux/skbuff.h>
#include <net/xdp_sock_drv.h>

/* What is kept for a driver lies right behind the part that programs see: see rust/netdev/xsk/buff.rs. */
static_assert(offsetof(struct xdp_buff_xsk, cb) == sizeof(struct xdp_buff));
static_assert(XSK_PRIV_MAX >= 16);

static inline struct xdp_buff_xsk *to_xsk(struct xdp_buff *xdp)
{
	return container_of(xdp, struct xdp_buff_xsk, xdp);
}

/* Registers @rxq, which is zeroed, for the receive queue @index of @dev, whose buffers come from a pool. */
__rust_helper int rust_helper_xdp_rxq_info_reg_xsk(struct xdp_rxq_info *rxq, struct net_device *dev,
						   u32 index)
{
	int err = xdp_rxq_info_reg(rxq, dev, index, 0);

	if (err)
		return err;

	err = xdp_rxq_info_reg_mem_model(rxq, MEM_TYPE_XSK_BUFF_POOL, NULL);
	if (err)
		xdp_rxq_info_unreg(rxq);
	return err;
}

/* Takes references to the pages that the chunk of @xdp lies in. */
__rust_helper void rust_helper_xsk_buff_get_pages(struct xdp_buff *xdp)
{
	void *start = xdp->data_hard_start;

	get_page(vmalloc_to_page(start));
	get_page(vmalloc_to_page(start + xdp->frame_sz - 1));
}

/* Whether all that has been mapped is where the CPU finds it too. */
static bool xsk_pool_is_direct(const struct xsk_buff_pool *pool)
{
	u32 i;

	for (i = 0; i < pool->dma_pages_cnt; i++)
		if ((pool->dma_pages[i] & ~XSK_NEXT_PG_CONTIG_MASK) !=
		    page_to_phys(pool->umem->pgs[i]))
			return false;
	return true;
}

/*
 * Maps the memory of @pool for @dev, and @len bytes of zeroes, which nobody writes to. If @direct says so, each page has to be
 * mapped to its own address, and @dev is one that nobody else maps memory for: it gets a mask here, and keeps it.
 */
__rust_helper int rust_helper_xsk_pool_dma_map(struct xsk_buff_pool *pool, struct device *dev,
					       bool direct, u32 len, dma_addr_t *zeroes)
{
	int err = 0;

	if (direct) {
		if (get_dma_ops(dev))
			return -EOPNOTSUPP;
		err = dma_coerce_mask_and_coherent(dev, DMA_BIT_MASK(64));
	}
	if (!err)
		err = xsk_pool_dma_map(pool, dev, 0);
	if (!err) {
		*zeroes = dma_map_page(dev, ZERO_PAGE(0), 0, len, DMA_TO_DEVICE);
		if (dma_mapping_error(dev, *zeroes)) {
			err = -ENOMEM;
		} else if (direct && (!xsk_pool_is_direct(pool) ||
				      *zeroes != page_to_phys(ZERO_PAGE(0)))) {
			dma_unmap_page(dev, *zeroes, len, DMA_TO_DEVICE);
			err = -EOPNOTSUPP;
		}
		if (err)
			xsk_pool_dma_unmap(pool, 0);
	}
	return err;
}

__rust_helper void rust_helper_xsk_pool_dma_unmap(struct xsk_buff_pool *pool, struct device *dev,
						  u32 len, dma_addr_t zeroes)
{
	dma_unmap_page(dev, zeroes, len, DMA_TO_DEVICE);
	xsk_pool_dma_unmap(pool, 0);
}

/*
 * Memory of @len zeroes that the CPU and @dev see alike, or NULL. If @direct says so, the device finds it where the CPU does, as what
 * rust_helper_xsk_pool_dma_map() maps.
 */
__rust_helper void *rust_helper_xsk_slots_alloc(struct device *dev, bool direct, size_t len,
						dma_addr_t *dma)
{
	void *slots = dma_alloc_coherent(dev, len, dma, GFP_KERNEL | __GFP_NOWARN);

	if (slots && direct && (is_vmalloc_addr(slots) || *dma != virt_to_phys(slots))) {
		dma_free_coherent(dev, len, slots, *dma);
		return NULL;
	}
	return slots;
}

__rust_helper void rust_helper_xsk_slots_free(struct device *dev, size_t len, void *slots,
					      dma_addr_t dma)
{
	dma_free_coherent(dev, len, slots, dma);
}

__rust_helper u32 rust_helper_xsk_pool_headroom(struct xsk_buff_pool *pool)
{
	return xsk_pool_get_headroom(pool);
}

__rust_helper u32 rust_helper_xsk_pool_frame_size(struct xsk_buff_pool *pool)
{
	return xsk_pool_get_rx_frame_size(pool);
}

/* How many chunks a packet may have. */
__rust_helper u32 rust_helper_xsk_pool_max_chunks(const struct xsk_buff_pool *pool)
{
	return pool->umem->flags & XDP_UMEM_SG_FLAG ? pool->netdev->xdp_zc_max_segs : 1;
}

__rust_helper u32 rust_helper_xsk_pool_heads(const struct xsk_buff_pool *pool)
{
	return pool->heads_cnt;
}

__rust_helper struct xdp_buff *rust_helper_xsk_pool_head(struct xsk_buff_pool *pool, u32 index)
{
	return &pool->heads[index].xdp;
}

/* Where the data of a buffer begins, for the device. */
__rust_helper dma_addr_t rust_helper_xsk_buff_dma(const struct xdp_buff *xdp)
{
	return xsk_buff_xdp_get_dma((struct xdp_buff *)xdp);
}

__rust_helper void rust_helper_xsk_buff_free(struct xdp_buff *xdp)
{
	xsk_buff_free(xdp);
}

/* A packet of @len bytes, which begins @back bytes into the headroom. */
__rust_helper void rust_helper_xsk_buff_set_size(struct xdp_buff *xdp, u32 back, u32 len)
{
	xsk_buff_set_size(xdp, len);
	xdp->data -= back;
	xdp->data_meta -= back;
	xdp->data_end -= back;
}

/*
 * Shows the CPU the @len bytes that the device has written, of which @lead lie before the data. The core's function leaves
 * these out.
 */
__rust_helper void rust_helper_xsk_buff_sync_for_cpu(struct xdp_buff *xdp, u32 lead, u32 len)
{
	dma_sync_single_for_cpu(to_xsk(xdp)->pool->dev, to_xsk(xdp)->dma - lead, len,
				DMA_BIDIRECTIONAL);
}

/* An skb with a copy of a packet, and of what a program has put in front of it. */
__rust_helper struct sk_buff *rust_helper_napi_copy_xsk_skb(struct napi_struct *napi,
							    const struct xdp_buff *xdp)
{
	u32 metasize = xdp->data - xdp->data_meta, size = xdp->data_end - xdp->data_meta;
	struct sk_buff *skb = napi_alloc_skb(napi, size);

	if (unlikely(!skb))
		return NULL;

	skb_mark_for_recycle(skb);
	skb_put_data(skb, xdp->data_meta, size);
	if (metasize) {
		__skb_pull(skb, metasize);
		skb_metadata_set(skb, metasize);
	}
	return skb;
}

/*
 * Makes @xdp, in which @len bytes begin @back bytes into the headroom, the fragment @index of @head, unless it is a part of it
 * already or one of those that are free. As xsk_buff_add_frag(), but that takes @index from where user space can write to.
 */
__rust_helper bool rust_helper_xsk_buff_add_frag_at(struct xdp_buff *head, struct xdp_buff *xdp,
						    u32 index, u32 back, u32 len)
{
	struct skb_shared_info *sinfo = xdp_get_shared_info_from_buff(head);

	if (xdp == head || !list_empty(&to_xsk(xdp)->list_node))
		return false;
	rust_helper_xsk_buff_set_size(xdp, back, len);
	if (!index) {
		xdp_buff_set_frags_flag(head);
		sinfo->xdp_frags_size = 0;
		sinfo->xdp_frags_truesize = 0;
	}
	__skb_fill_netmem_desc_noacc(sinfo, index, virt_to_netmem(xdp->data),
				     offset_in_page(xdp->data), len);
	sinfo->nr_frags = index + 1;
	sinfo->xdp_frags_size += len;
	sinfo->xdp_frags_truesize += xdp->frame_sz;
	list_add_tail(&to_xsk(xdp)->list_node, &to_xsk(xdp)->pool->xskb_list);
	return true;
}

__rust_helper struct xdp_buff *rust_helper_xsk_buff_get_frag(const struct xdp_buff *first)
{
	return xsk_buff_get_frag(first);
}

/* Whether packets to be sent may come with requests, and the device is one that takes them. */
__rust_helper bool rust_helper_xsk_pool_takes_requests(const struct xsk_buff_pool *pool)
{
	return xp_tx_metadata_enabled(pool) && pool->netdev->xsk_tx_metadata_ops;
}

/*
 * Has @ops called, with @priv, for what user space asks for with the packet that begins with the descriptor @index. It may change that
 * meanwhile: each field is read once.
 */
__rust_helper void rust_helper_xsk_tx_request(struct xsk_buff_pool *pool, u32 index,
					      const struct xsk_tx_metadata_ops *ops, void *priv)
{
	const struct xdp_desc *desc = &pool->tx_descs[index];
	struct xsk_tx_metadata *meta = xsk_buff_get_metadata(pool, desc->addr, desc->options);

	xsk_tx_metadata_request(pool, &meta, ops, priv);
}

/* Whether a program that has just said XDP_REDIRECT means a socket. */
__rust_helper bool rust_helper_xdp_redirects_to_socket(void)
{
	return bpf_net_ctx_get_ri()->map_type == BPF_MAP_TYPE_XSKMAP;
}

/* The address and the length of the descriptor @index of those that have been peeked, and whether the packet goes on in the next one. */
__rust_helper u32 rust_helper_xsk_tx_desc(const struct xsk_buff_pool *pool, u32 index, u64 *addr,
					  bool *more)
{
	const struct xdp_desc *desc = &pool->tx_descs[index];

	*addr = desc->addr;
	*more = !xsk_is_eop_desc(desc);
	return desc->len;
}

/* Where the device finds the @len bytes at @addr, which it can read now. */
__rust_helper dma_addr_t rust_helper_xsk_tx_dma(struct xsk_buff_pool *pool, u64 addr, u32 len)
{
	dma_addr_t dma = xsk_buff_raw_get_dma(pool, addr);

	xsk_buff_raw_dma_sync_for_device(pool, dma, len);
	return dma;
}

/* Copies them to @to, which has room for them. User space may write to them meanwhile. */
__rust_helper void rust_helper_xsk_tx_copy(const struct xsk_buff_pool *pool, u64 addr, u32 len,
					   void *to)
{
	const void *from;

	if (pool->unaligned)
		addr = xp_unaligned_add_offset_to_addr(addr);
	from = pool->addrs + addr;
	if (unlikely(len < 16)) {
		memcpy(to, from, len);
		return;
	}
	/* It is short: a call would take longer. What is left in the end overlaps with what has been copied. */
	for (; len > 16; len -= 16, to += 16, from += 16)
		memcpy(to, from, 16);
	memcpy(to - (16 - len), from - (16 - len), 16);
}
