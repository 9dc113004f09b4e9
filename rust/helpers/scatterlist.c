// SPDX-License-Identifier: GPL-2.0
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <net/page_pool/helpers.h>

/* sg_init_table(), without a call, and without clearing what is written anyway. */
__rust_helper void rust_helper_sg_start(struct scatterlist *sg, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		sg[i].page_link = 0;
	sg_init_marker(sg, count);
}

/* The same for two entries. */
__rust_helper void rust_helper_sg_start_two(struct scatterlist *sg)
{
	sg[0].page_link = 0;
	sg[1].page_link = SG_END;
}

/* sg_init_one(), likewise. */
__rust_helper void rust_helper_sg_set_only(struct scatterlist *sg, const void *buf,
					   unsigned int len)
{
	rust_helper_sg_start(sg, 1);
	sg_set_buf(sg, buf, len);
}

__rust_helper void rust_helper_sg_set_buf(struct scatterlist *sg, const void *buf, unsigned int len)
{
	sg_set_buf(sg, buf, len);
}

/* An entry for memory in one page of a page_pool: its DMA address if the pool maps it. */
__rust_helper void rust_helper_sg_set_pp_va(struct scatterlist *sg, void *va, unsigned int len,
					    bool mapped)
{
	struct page *page = virt_to_head_page(va);

	if (mapped) {
		sg_dma_address(sg) = page_pool_get_dma_addr(page) + (va - page_address(page));
		sg_dma_len(sg) = len;
	} else {
		sg_set_buf(sg, va, len);
	}
}

__rust_helper void rust_helper_sg_set_dma(struct scatterlist *sg, dma_addr_t addr, u32 len)
{
	sg_dma_address(sg) = addr;
	sg_dma_len(sg) = len;
}
