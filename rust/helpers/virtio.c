// SPDX-License-Identifier: GPL-2.0

#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <net/page_pool/helpers.h>

__rust_helper void rust_helper_virtio_device_ready(struct virtio_device *vdev)
{
	virtio_device_ready(vdev);
}

__rust_helper void rust_helper_virtio_get_features(struct virtio_device *vdev, u64 *features)
{
	virtio_get_features(vdev, features);
}

__rust_helper const char *rust_helper_virtio_bus_name(struct virtio_device *vdev)
{
	return virtio_bus_name(vdev);
}

/* The scatterlist lives for the call only: the core copies it into descriptors. */
__rust_helper int rust_helper_virtqueue_add_inbuf_va(struct virtqueue *vq, void *va,
						     unsigned int len, void *ctx, gfp_t gfp)
{
	struct scatterlist sg;

	rust_helper_sg_set_only(&sg, va, len);
	return virtqueue_add_inbuf_ctx(vq, &sg, 1, va, ctx, gfp);
}

/* The same for memory that its page_pool has mapped for the device of @vq. */
__rust_helper int rust_helper_virtqueue_add_inbuf_pp_va(struct virtqueue *vq, void *va,
							unsigned int len, void *ctx, gfp_t gfp)
{
	struct page *page = virt_to_head_page(va);
	struct scatterlist sg;

	rust_helper_sg_start(&sg, 1);
	sg_dma_address(&sg) = page_pool_get_dma_addr(page) + (va - page_address(page));
	sg_dma_len(&sg) = len;
	return virtqueue_add_inbuf_premapped(vq, &sg, 1, va, ctx, gfp);
}
