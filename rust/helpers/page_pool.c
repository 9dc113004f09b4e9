// SPDX-License-Identifier: GPL-2.0

#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <net/page_pool/helpers.h>

/* A pool for the receive queue of @napi. Its pages are mapped for @dma_dev, unless that is NULL. */
__rust_helper struct page_pool *rust_helper_page_pool_create_rx(unsigned int size,
								struct device *dma_dev,
								struct napi_struct *napi)
{
	struct page_pool_params params = {
		.pool_size = size,
		.nid = NUMA_NO_NODE,
		.napi = napi,
		.netdev = napi->dev,
	};

	if (dma_dev) {
		params.flags = PP_FLAG_DMA_MAP | PP_FLAG_DMA_SYNC_DEV;
		params.dev = dma_dev;
		params.dma_dir = DMA_FROM_DEVICE;
		params.max_len = PAGE_SIZE;
	}
	return page_pool_create(&params);
}

/* page_pool_alloc_va() of a pool as above, which says the page too. */
__rust_helper struct page *rust_helper_page_pool_alloc_at(struct page_pool *pool,
							  unsigned int *size, gfp_t gfp,
							  void **start)
{
	unsigned int offset;
	struct page *page;

	/* It has single pages of memory. What the compiler knows is not asked for each buffer. */
	if (pool->p.order)
		__builtin_unreachable();
	page = __netmem_to_page(page_pool_alloc_netmem(pool, &offset, size, gfp & ~__GFP_HIGHMEM));
	if (likely(page))
		*start = page_address(page) + offset;
	return page;
}

/* Returns a fragment to the pool that its page belongs to. */
__rust_helper void rust_helper_page_pool_put_va(void *va)
{
	struct page *page = virt_to_head_page(va);

	page_pool_put_full_page(pp_page_to_nmdesc(page)->pp, page, false);
}

/* Takes a reference to the page that @va lies in. */
__rust_helper void rust_helper_page_get_va(const void *va)
{
	get_page(virt_to_head_page(va));
}

/* The pool that the page of @va belongs to. */
__rust_helper struct page_pool *rust_helper_page_pool_of_va(const void *va)
{
	return pp_page_to_nmdesc(virt_to_head_page(va))->pp;
}

/* Has poll functions that begin from now on recycle nothing into the cache of @pool. */
__rust_helper void rust_helper_page_pool_unlink_napi(struct page_pool *pool)
{
	WRITE_ONCE(pool->p.napi, NULL);
	smp_mb();
}

/* Makes what the device wrote visible to the CPU, where the pool of @va maps its pages. */
__rust_helper void rust_helper_page_pool_va_sync_for_cpu(const void *va, unsigned int len)
{
	struct page *page = virt_to_head_page(va);
	const struct page_pool *pool = pp_page_to_nmdesc(page)->pp;

	if (pool->dma_map)
		page_pool_dma_sync_for_cpu(pool, page, va - page_address(page), len);
}
