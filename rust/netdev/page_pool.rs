// SPDX-License-Identifier: GPL-2.0

//! Receive buffers from a page_pool.
//!
//! C headers: [`include/net/page_pool/types.h`](srctree/include/net/page_pool/types.h),
//! [`include/net/page_pool/helpers.h`](srctree/include/net/page_pool/helpers.h)

use crate::{
    bindings,
    Exclusive,
    Napi, //
};
use core::{
    ffi::c_void,
    ptr::NonNull, //
};
use kernel::{
    error::from_err_ptr,
    prelude::*,
    sync::Arc, //
};
use virtio::{
    queue::{
        Buffer,
        Incoming,
        Virtqueue, //
    },
    Attached, //
};

/// How many bits of a context word hold the size of a buffer; the headroom is above them.
const SIZE_BITS: u32 = 24;

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
/// `raw` is a page_pool that recycles directly in the poll function of `napi`.
pub struct PagePool {
    raw: NonNull<bindings::page_pool>,
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
    pub(crate) unsafe fn new(
        queue: &Virtqueue<PoolBuffer>,
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
        if len > PoolBuffer::WHOLE_PAGE || !core::ptr::eq(owner.napi(), &*self.napi) {
            return None;
        }
        // The sum is a page at most, which is aligned, so rounding it up gives no more than that.
        let mut size = (HEADROOM + len + TAILROOM).next_multiple_of(ALIGN);
        // SAFETY: The pool is valid. As `owner` owns the queue of the pool's NAPI context, nothing
        // else allocates from the pool or recycles into it directly.
        let start =
            unsafe { bindings::page_pool_alloc_va(self.raw.as_ptr(), &mut size, owner.gfp) };
        let start = NonNull::new(start.cast::<u8>())?;
        // INVARIANT: The fragment, of at least the size that was asked for, has become the
        // buffer's.
        Some(PoolBuffer {
            // SAFETY: The fragment is longer than the headroom.
            data: unsafe { start.add(HEADROOM as usize) },
            size,
            headroom: HEADROOM,
        })
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

/// A receive buffer: a fragment of a page of a [`PagePool`].
///
/// Dropping it returns the fragment to the pool.
///
/// # Invariants
///
/// - The fragment is owned. It has `size` bytes and starts `headroom` bytes before `data`.
/// - `headroom + TAILROOM <= size < 1 << SIZE_BITS`, and `headroom < 1 << (64 - SIZE_BITS)`.
pub struct PoolBuffer {
    data: NonNull<u8>,
    size: u32,
    headroom: u32,
}

// SAFETY: The fragment is owned, and may be returned from any context.
unsafe impl Send for PoolBuffer {}

impl PoolBuffer {
    /// The capacity of a buffer of which a page has two, in bytes.
    pub const HALF_PAGE: u32 = bindings::PAGE_SIZE as u32 / 2 - HEADROOM - TAILROOM;

    /// The capacity of the largest buffer, which takes a page, in bytes.
    pub const WHOLE_PAGE: u32 = bindings::PAGE_SIZE as u32 - HEADROOM - TAILROOM;

    /// Copies the first bytes of the data.
    ///
    /// A device that is not kept away from the memory by an IOMMU could still write to it. So the
    /// bytes are looked at in the copy, not in place. Returns `None` if there are fewer.
    #[inline]
    pub(crate) fn copy_start<const N: usize>(&self) -> Option<[u8; N]> {
        if N > self.capacity() as usize {
            return None;
        }
        // SAFETY: The fragment is owned, and has that many bytes.
        Some(unsafe { self.data.cast::<[u8; N]>().read() })
    }

    /// The start and the size of the fragment.
    #[inline]
    pub(crate) fn fragment(&self) -> (*mut c_void, u32) {
        // The subtraction stays inside of the fragment, by the type invariant.
        let start = self.data.as_ptr().wrapping_sub(self.headroom as usize);
        (start.cast(), self.size)
    }

    #[inline]
    pub(crate) fn headroom(&self) -> u32 {
        self.headroom
    }

    #[inline]
    pub(crate) fn data(&self) -> *mut c_void {
        self.data.as_ptr().cast()
    }
}

impl Drop for PoolBuffer {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: The fragment is owned.
        unsafe { bindings::page_pool_put_va(self.data.as_ptr().cast()) }
    }
}

// SAFETY: The token is the address of the data, from which the page is found. The fragment stays
// allocated until it is put. While it is a token nothing accesses it, since there is no
// `PoolBuffer` for it.
unsafe impl Buffer for PoolBuffer {
    const CONTEXT: bool = true;
    const SEGMENTS: usize = 0;

    unsafe fn release(token: NonNull<c_void>) {
        // SAFETY: By the requirements of this function the fragment at `token` is owned.
        unsafe { bindings::page_pool_put_va(token.as_ptr()) }
    }
}

// SAFETY: The context holds the sizes, which the type invariant bounds to its bits; so the
// conversion can be undone. By the type invariant `capacity()` bytes are owned, in the page that
// the fragment is cut from. A pool maps whole pages, and it keeps them mapped until it is
// destroyed, which resets the device first.
unsafe impl Incoming for PoolBuffer {
    #[inline]
    fn capacity(&self) -> u32 {
        // Neither overflows, by the type invariant.
        self.size.wrapping_sub(self.headroom).wrapping_sub(TAILROOM)
    }

    #[inline]
    fn is_mapped_for(&self, device: *const bindings::device) -> bool {
        // SAFETY: The fragment is owned, so its page belongs to a pool.
        let mapped = unsafe { bindings::page_pool_va_dma_dev(self.data.as_ptr().cast()) };
        core::ptr::eq(mapped, device)
    }

    #[inline]
    fn into_token(self) -> (NonNull<c_void>, *mut c_void) {
        let context = (self.headroom as usize) << SIZE_BITS | self.size as usize;
        let token = self.data.cast();
        core::mem::forget(self);
        (token, core::ptr::without_provenance_mut(context))
    }

    #[inline]
    unsafe fn reclaim(token: NonNull<c_void>, context: *mut c_void, written: u32) -> Self {
        let context = context.addr();
        // INVARIANT: By the requirements of this function they come from `into_token`.
        let buffer = Self {
            data: token.cast(),
            size: (context & ((1 << SIZE_BITS) - 1)) as u32,
            headroom: (context >> SIZE_BITS) as u32,
        };
        let len = written.min(buffer.capacity());
        // SAFETY: The fragment is owned, and `len` is bounded by what was lent.
        unsafe { bindings::page_pool_va_sync_for_cpu(token.as_ptr(), len) };
        buffer
    }
}
