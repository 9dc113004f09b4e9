// SPDX-License-Identifier: GPL-2.0

#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/kmsan.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
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

__rust_helper void rust_helper_virtio_device_lock(struct virtio_device *vdev)
{
	device_lock(&vdev->dev);
}

__rust_helper bool rust_helper_virtio_device_trylock(struct virtio_device *vdev)
{
	return device_trylock(&vdev->dev);
}

__rust_helper void rust_helper_virtio_device_unlock(struct virtio_device *vdev)
{
	device_unlock(&vdev->dev);
}

__rust_helper bool rust_helper_dma_dev_need_sync(const struct device *dev)
{
	return dma_dev_need_sync(dev);
}

static void get_pages(phys_addr_t start, size_t size)
{
	unsigned long pfn;

	for (pfn = PHYS_PFN(start); pfn <= PHYS_PFN(start + size - 1); pfn++)
		get_page(pfn_to_page(pfn));
}

/*
 * Takes references to the memory of the rings of @vdev that it writes to. What is allocated as coherent memory for DMA
 * cannot be kept so.
 */
__rust_helper void rust_helper_virtio_device_get_ring_pages(struct virtio_device *vdev)
{
	bool packed = virtio_has_feature(vdev, VIRTIO_F_RING_PACKED);
	struct virtqueue *vq;

	virtio_device_for_each_vq(vdev, vq) {
		size_t num = virtqueue_get_vring_size(vq);

		if (vdev->map || virtqueue_dma_dev(vq))
			continue;
		if (packed) {
			get_pages(virtqueue_get_desc_addr(vq), num * sizeof(struct vring_packed_desc));
			get_pages(virtqueue_get_used_addr(vq), sizeof(struct vring_packed_desc_event));
		} else {
			get_pages(virtqueue_get_used_addr(vq), offsetof(struct vring_used, ring[num]) + sizeof(__virtio16));
		}
	}
}

/* What happens to a device when the machine is suspended and wakes up; a kernel that cannot do that has no way to it. */
__rust_helper int rust_helper_virtio_device_freeze(struct virtio_device *vdev)
{
#ifdef CONFIG_PM_SLEEP
	return virtio_device_freeze(vdev);
#else
	return -EOPNOTSUPP;
#endif
}

__rust_helper int rust_helper_virtio_device_restore(struct virtio_device *vdev)
{
#ifdef CONFIG_PM_SLEEP
	return virtio_device_restore(vdev);
#else
	return -EOPNOTSUPP;
#endif
}

/*
 * The interrupt of a queue of @vdev: of @count that have one it comes after @before others. Transports
 * say it to nobody, but assign them in this order: virtio_pci has vector 0 for the configuration, then
 * one for each queue, or one for all. Without vectors, and with virtio_mmio, there is one for everything.
 * Fails with any other transport.
 */
__rust_helper int rust_helper_virtio_queue_irq(struct virtio_device *vdev, unsigned int before,
					       unsigned int count)
{
	struct device *parent = vdev->dev.parent;
	/* Some transports have a parent that does not belong to them. */
	const char *transport = parent->driver ? parent->driver->name : "";
	struct pci_dev *pci;

	if (dev_is_platform(parent) && !strcmp(transport, "virtio-mmio"))
		return platform_get_irq_optional(to_platform_device(parent), 0);
	if (!dev_is_pci(parent) || strcmp(transport, "virtio-pci"))
		return -ENOENT;
	pci = to_pci_dev(parent);
	if (!pci->msix_enabled)
		return pci_irq_vector(pci, 0);
	if (pci_irq_vector(pci, count) >= 0)
		return pci_irq_vector(pci, before + 1);
	return pci_irq_vector(pci, 1);
}

/*
 * Whether an interrupt does not go where its hint says, though it could: somebody else has steered it
 * since the hint was given, which steers it too.
 */
__rust_helper bool rust_helper_irq_is_taken_over(unsigned int irq)
{
#ifdef CONFIG_SMP
	struct irq_data *data = irq_get_irq_data(irq);
	const struct cpumask *hint, *now;

	if (!data)
		return false;
	hint = READ_ONCE(irq_data_to_desc(data)->affinity_hint);
	if (!hint || !cpumask_intersects(hint, cpu_online_mask))
		return false;
	now = irq_data_get_affinity_mask(data);
#ifdef CONFIG_GENERIC_PENDING_IRQ
	if (irqd_is_setaffinity_pending(data))
		now = irq_data_to_desc(data)->pending_mask;
#endif
	return !cpumask_equal(hint, now);
#else
	return false;
#endif
}

/* What the driver has written to the ring of @vq, which is a split one. */
__rust_helper u16 rust_helper_virtqueue_split_avail_idx(const struct virtqueue *vq)
{
	return virtio16_to_cpu(vq->vdev, READ_ONCE(virtqueue_get_vring(vq)->avail->idx));
}

/* What the device has written there. */
__rust_helper u16 rust_helper_virtqueue_split_used_idx(const struct virtqueue *vq)
{
	return virtio16_to_cpu(vq->vdev, READ_ONCE(virtqueue_get_vring(vq)->used->idx));
}

/*
 * @va is in @page, which is one page, and which the core asks the transport to map. The scatterlist lives for the call only: the core
 * copies it into descriptors.
 */
__rust_helper int rust_helper_virtqueue_add_inbuf_page(struct virtqueue *vq, struct page *page,
						       void *va, unsigned int len, void *ctx,
						       gfp_t gfp)
{
	struct scatterlist sg;

	rust_helper_sg_start(&sg, 1);
	sg_set_page(&sg, page, len, offset_in_page(va));
	return virtqueue_add_inbuf_ctx(vq, &sg, 1, va, ctx, gfp);
}

/* Lends @len bytes, which the device of @vq finds at @addr. Of the entry the core reads no more than is written here. */
__rust_helper int rust_helper_virtqueue_add_inbuf_dma(struct virtqueue *vq, dma_addr_t addr,
						      unsigned int len, void *data, void *ctx,
						      gfp_t gfp)
{
	struct scatterlist sg __uninitialized;

	rust_helper_sg_start(&sg, 1);
	rust_helper_sg_set_dma(&sg, addr, len);
	return virtqueue_add_inbuf_premapped(vq, &sg, 1, data, ctx, gfp);
}

/* Lends @len bytes at @va, in @page, which is one page that its page_pool has mapped for the device of @vq. */
__rust_helper int rust_helper_virtqueue_add_inbuf_pp(struct virtqueue *vq, struct page *page,
						     void *va, unsigned int len, void *ctx,
						     gfp_t gfp)
{
	dma_addr_t addr = page_pool_get_dma_addr(page) + (va - page_address(page));

	return rust_helper_virtqueue_add_inbuf_dma(vq, addr, len, va, ctx, gfp);
}

/*
 * The same where the device of @vq takes guest-physical addresses. The core finds them too, if it is given pages, but with a call for
 * each.
 */
__rust_helper int rust_helper_virtqueue_add_inbuf_phys(struct virtqueue *vq, struct page *page,
						       void *va, unsigned int len, void *ctx,
						       gfp_t gfp)
{
	phys_addr_t addr = page_to_phys(page) + (va - page_address(page));

	kmsan_handle_dma(addr, len, DMA_FROM_DEVICE);
	return rust_helper_virtqueue_add_inbuf_dma(vq, addr, len, va, ctx, gfp);
}
