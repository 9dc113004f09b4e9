// SPDX-License-Identifier: GPL-2.0

//! Receive buffers from a page_pool.
//!
//! C headers: [`include/net/page_pool/types.h`](srctree/include/net/page_pool/types.h),
//! [`include/net/page_pool/helpers.h`](srctree/include/net/page_pool/helpers.h)

mod buffer;
mod chain;
mod page;

pub use self::{
    buffer::PoolBuffer,
    chain::Chain,
    page::PoolPage, //
};

use crate::{
    bindings,
    Exclusive,
    Napi, //
};
use core::ptr::NonNull;
use kernel::{
    error::from_err_ptr,
    prelude::*,
    sync::Arc, //
};
use virtio::{
    queue::{
        Incoming,
        Virtqueue, //
    },
    Attached, //
};

/// The room that a buffer keeps in front of the data, for headers that are pushed when the packet
/// is forwarded, in bytes.
const HEADROOM: u32 = bindings::RX_HEADROOM;

/// How the size of a buffer is aligned (`SMP_CACHE_BYTES`), in bytes.
const ALIGN: u32 = bindings::SKB_ALIGN;

/// The room that a buffer keeps behind the data, for `struct skb_shared_info`, in bytes.
pub(crate) const TAILROOM: u32 = bindings::SKB_SHARED_INFO_ROOM;

/// A pool of pages that receive buffers are cut from, for one queue.
///
/// Pages are mapped for the device that does DMA for the queue, if there is one.
///
/// # Invariants
///
/// `raw` is a page_pool that recycles directly in the poll function of `napi`. It maps its pages for
/// `dma_device`, or does not map them if that is null.
pub struct PagePool {
    raw: NonNull<bindings::page_pool>,
    dma_device: *const bindings::device,
    napi: Arc<Napi>,
    device: Attached,
}

// SAFETY: The pool is used through `&mut` only, and may move between threads.
unsafe impl Send for PagePool {}

impl PagePool {
    /// A pool for the buffers of `queue`, which is polled by `napi`.
    ///
    /// Process context. May sleep.
    ///
    /// # Safety
    ///
    /// The network device of `napi` has not been unregistered.
    pub(crate) unsafe fn new<B: Incoming>(
        queue: &Virtqueue<B>,
        napi: Arc<Napi>,
        device: Attached,
    ) -> Result<Self> {
        virtio::fault::point("page_pool")?;
        // SAFETY: The NAPI context has been added to a device that is there, and outlives the
        // pool's use of it, since `page_pool_destroy` unlinks them. The DMA device is null, or that
        // of a queue that exists.
        let raw = from_err_ptr(unsafe {
            bindings::page_pool_create_rx(queue.size(), queue.dma_device(), napi.as_raw())
        })?;
        Ok(Self {
            dma_device: queue.dma_device(),
            raw: NonNull::new(raw).ok_or(ENOMEM)?,
            napi,
            device,
        })
    }

    /// Cuts a buffer of at least `len` bytes from the pool.
    ///
    /// In front of them and behind them there is room for what makes the buffer an skb without a
    /// copy, see [`PoolBuffer::into_skb`]. What is left of a page goes to the last buffer that is
    /// cut from it.
    ///
    /// Returns `None` if there is no memory, if the buffer would not fit into a page, or if `owner`
    /// is not the owner of the queue that the pool is for.
    #[inline]
    pub fn alloc(&mut self, owner: &Exclusive<'_>, len: u32) -> Option<PoolBuffer> {
        let fits = len <= PoolBuffer::WHOLE_PAGE;
        if !fits || !core::ptr::eq(owner.napi(), &*self.napi) || virtio::fault::no_memory() {
            return None;
        }
        // The sum is a page at most, which is aligned, so rounding it up gives no more than that.
        let mut size = (HEADROOM + len + TAILROOM).next_multiple_of(ALIGN);
        // SAFETY: The pool is valid. As `owner` owns the queue of the pool's NAPI context, nothing
        // else allocates from the pool or recycles into it directly.
        let start =
            unsafe { bindings::page_pool_alloc_va(self.raw.as_ptr(), &mut size, owner.gfp) };
        let start = NonNull::new(start.cast())?;
        // SAFETY: The fragment, of at least the size that was asked for, is new.
        Some(unsafe { PoolBuffer::new(start, size) })
    }

    /// Takes a whole page from the pool.
    ///
    /// Returns `None` if there is no memory, or if `owner` is not the owner of the queue that the
    /// pool is for.
    #[inline]
    pub fn alloc_page(&mut self, owner: &Exclusive<'_>) -> Option<PoolPage> {
        if !core::ptr::eq(owner.napi(), &*self.napi) || virtio::fault::no_memory() {
            return None;
        }
        let mut size = PoolPage::CAPACITY;
        // SAFETY: As in `alloc`.
        let start =
            unsafe { bindings::page_pool_alloc_va(self.raw.as_ptr(), &mut size, owner.gfp) };
        // SAFETY: The page is new.
        NonNull::new(start.cast()).map(|page| unsafe { PoolPage::new(page) })
    }

    /// The device that the pages are mapped for, or null.
    fn dma_device(&self) -> *const bindings::device {
        self.dma_device
    }
}

impl Drop for PagePool {
    fn drop(&mut self) {
        // Destroying the pool unmaps pages that are still lent to the device. So take the device
        // away from them first.
        self.device.reset();
        // SAFETY: The pool is valid. Pages that are out come back to it later.
        unsafe { bindings::page_pool_destroy(self.raw.as_ptr()) };
    }
}
