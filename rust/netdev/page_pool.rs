// SPDX-License-Identifier: GPL-2.0

//! Receive buffers from a page_pool.
//!
//! C headers: [`include/net/page_pool/types.h`](srctree/include/net/page_pool/types.h),
//! [`include/net/page_pool/helpers.h`](srctree/include/net/page_pool/helpers.h)

mod buffer;
mod chain;
mod page;

pub use self::{
    buffer::{
        NewBuffer,
        PoolBuffer, //
    },
    chain::Chain,
    page::PoolPage, //
};

use crate::{
    bindings,
    xdp::RxqInfo,
    Driver,
    Exclusive,
    Locked,
    Napi, //
};
use core::{
    mem::ManuallyDrop,
    ptr::{
        null_mut,
        NonNull, //
    },
};
use dma::{
    fault,
    Attached,
    DmaDevice,
    Source, //
};
use kernel::{
    error::from_err_ptr,
    prelude::*,
    sync::Arc, //
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
/// Pages are mapped for the device that does DMA for the queue, if there is one. They stay so for as long as there is
/// this or a [`PoolSource`] of it.
///
/// # Invariants
///
/// `raw` is the page_pool of `source`, and `napi` its NAPI context. There is no other value with which something is
/// allocated from it.
pub struct PagePool {
    raw: NonNull<bindings::page_pool>,
    napi: Arc<Napi>,
    source: PoolSource,
}

// SAFETY: The pool is used through `&mut` only, and may move between threads.
unsafe impl Send for PagePool {}

/// What the buffers of a [`PagePool`] belong to: it keeps their memory mapped, and is what a queue is told that they are
/// lent to. Dropped in process context.
#[derive(Clone)]
pub struct PoolSource(Arc<Pool>);

/// # Invariants
///
/// `raw` is a page_pool that recycles directly in the poll function of `napi`. It maps its pages for
/// `dma_device`, or does not map them if that is null.
struct Pool {
    raw: NonNull<bindings::page_pool>,
    dma_device: *const bindings::device,
    napi: ManuallyDrop<Arc<Napi>>,
    rxq: ManuallyDrop<RxqInfo>,
    /// Memory can be mapped for `dma_device` as long as this is there.
    attached: ManuallyDrop<Option<Attached>>,
}

// SAFETY: What is done with it here may be done by any thread.
unsafe impl Send for Pool {}
// SAFETY: As above: nothing is done with a shared one but to look at fields that do not change.
unsafe impl Sync for Pool {}

impl PagePool {
    /// A pool of `size` pages at rest, for the buffers of a queue that `device` does DMA for and that is polled by `napi`.
    ///
    /// Process context. May sleep.
    ///
    /// # Safety
    ///
    /// The network device of `napi` is not freed while it has a pool.
    pub(crate) unsafe fn new(size: u32, device: DmaDevice<'_>, napi: Arc<Napi>) -> Result<Self> {
        fault::point("page_pool")?;
        // SAFETY: The NAPI context has been added to a device that is there, and outlives the pool's use of it, since
        // dropping the pool unlinks them. The DMA device is null, or one that memory can be mapped for.
        let raw = from_err_ptr(unsafe {
            bindings::page_pool_create_rx(size, device.as_raw(), napi.as_raw())
        })?;
        let raw = NonNull::new(raw).ok_or(ENOMEM)?;
        // SAFETY: It is new, and the device outlives it, as above.
        let rxq = unsafe { RxqInfo::new(raw, &napi) }
            // SAFETY: Nobody else knows it.
            .inspect_err(|_| unsafe { bindings::page_pool_destroy(raw.as_ptr()) })?;
        // INVARIANT: It has just been made so.
        let pool = Pool {
            raw,
            dma_device: device.as_raw(),
            napi: ManuallyDrop::new(napi.clone()),
            rxq: ManuallyDrop::new(rxq),
            attached: ManuallyDrop::new(device.attached().cloned()),
        };
        // INVARIANT: It is new.
        Ok(Self {
            raw,
            napi,
            source: PoolSource(Arc::new(pool, GFP_KERNEL)?),
        })
    }

    /// Whether `buffer` was cut from this pool.
    #[inline]
    pub(crate) fn has(&self, buffer: &PoolBuffer) -> bool {
        self.source.has(buffer)
    }

    /// Whether `owner` is the owner of the queue that the pool is for.
    #[inline]
    pub(crate) fn is_owned_by(&self, owner: &Exclusive<'_>) -> bool {
        core::ptr::eq(owner.napi(), &*self.napi)
    }

    /// What programs are told of the queue.
    #[inline]
    pub(crate) fn rxq_info(&self) -> *mut bindings::xdp_rxq_info {
        self.source.0.rxq.as_raw()
    }

    /// What the buffers belong to.
    pub fn source(&self) -> PoolSource {
        self.source.clone()
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
    pub fn alloc(&mut self, owner: &Exclusive<'_>, len: u32) -> Option<NewBuffer> {
        if len > PoolBuffer::WHOLE_PAGE {
            return None;
        }
        // The sum is a page at most, which is aligned, so rounding it up gives no more than that.
        let mut size = (HEADROOM + len + TAILROOM).next_multiple_of(ALIGN);
        let (page, start) = self.take(owner, &mut size)?;
        // SAFETY: The fragment, of at least the size that was asked for, is new.
        Some(unsafe {
            let buffer = PoolBuffer::new(start, size, HEADROOM);
            NewBuffer::new(buffer, page, self.raw)
        })
    }

    /// Cuts a buffer from the pool for a packet that an XDP program is going to see, which has
    /// [`XDP_HEADROOM`](PoolBuffer::XDP_HEADROOM) bytes in front and a page for itself: a program may move the packet to the start
    /// of that, and what it sends elsewhere is a page.
    ///
    /// Returns `None` as [`alloc_page`](Self::alloc_page) does.
    #[inline]
    pub fn alloc_for_program(&mut self, owner: &Exclusive<'_>) -> Option<NewBuffer> {
        let mut size = PoolPage::CAPACITY;
        let (page, start) = self.take(owner, &mut size)?;
        // SAFETY: The page is new.
        Some(unsafe {
            let buffer = PoolBuffer::new(start, size, PoolBuffer::XDP_HEADROOM);
            NewBuffer::new(buffer, page, self.raw)
        })
    }

    /// Takes a whole page from the pool.
    ///
    /// Returns `None` if there is no memory, or if `owner` is not the owner of the queue that the
    /// pool is for.
    #[inline]
    pub fn alloc_page(&mut self, owner: &Exclusive<'_>) -> Option<PoolPage> {
        let mut size = PoolPage::CAPACITY;
        let (_, start) = self.take(owner, &mut size)?;
        // SAFETY: The page is new.
        Some(unsafe { PoolPage::new(start) })
    }

    /// Takes a fragment of at least `size` bytes, a page at most, and says how many it has: its page, and its start.
    #[inline]
    fn take(
        &mut self,
        owner: &Exclusive<'_>,
        size: &mut u32,
    ) -> Option<(NonNull<bindings::page>, NonNull<u8>)> {
        if !self.is_owned_by(owner) || fault::no_memory() {
            return None;
        }
        let pool = self.raw.as_ptr();
        let mut start = null_mut();
        // SAFETY: The pool is valid. As `owner` owns the queue of the pool's NAPI context, nothing
        // else allocates from the pool or recycles into it directly.
        let page = unsafe { bindings::page_pool_alloc_at(pool, size, owner.gfp, &mut start) };
        let page = NonNull::new(page)?;
        // SAFETY: The page has an address.
        Some((page, unsafe { NonNull::new_unchecked(start.cast()) }))
    }
}

impl<T: Driver> Locked<'_, T> {
    /// A pool of receive buffers, as [`Allocated::page_pool`](crate::Allocated::page_pool) makes it, for a device that is
    /// registered.
    ///
    /// Process context. May sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no queue `index`; `ENOMEM`, `E2BIG`.
    pub fn page_pool(&self, index: u16, size: u32, device: DmaDevice<'_>) -> Result<PagePool> {
        let slot = self.context().rx.get(usize::from(index)).ok_or(EINVAL)?;
        // SAFETY: When the device is unregistered the stack takes its pools over. One that is made after that keeps it from being
        // freed, as `Drop` of `Allocated` looks for pools.
        unsafe { PagePool::new(size, device, slot.napi().clone()) }
    }
}

impl PoolSource {
    /// Whether `buffer` was cut from this pool.
    #[inline]
    fn has(&self, buffer: &PoolBuffer) -> bool {
        // SAFETY: The fragment is owned, so its page belongs to a page_pool, which exists as long as it has pages.
        let pool = unsafe { bindings::page_pool_of_va(buffer.data()) };
        core::ptr::eq(pool, self.0.raw.as_ptr())
    }

    /// Whether it is that of `pool`, which exists.
    #[inline]
    fn is(&self, pool: NonNull<bindings::page_pool>) -> bool {
        pool == self.0.raw
    }
}

// SAFETY: By the invariant of `Pool`: its pages are mapped when they come from the stack's memory, and unmapped when they
// go back there, or when the pool is destroyed.
unsafe impl Source for PoolSource {
    fn dma_device(&self) -> *const bindings::device {
        self.0.dma_device
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // SAFETY: The functions have no requirements.
        if !unsafe { bindings::in_task() } {
            // It would have to wait. What is left behind does no harm.
            pr_warn!("a page_pool is dropped where nothing can wait for its last user: it stays, and so does the device\n");
            return;
        }
        // SAFETY: By the type invariant the pool and the context are valid; nobody allocates from the pool any more.
        // Once they are unlinked no poll function that begins recycles into the pool's cache. One that has begun before
        // is waited for: if the context is disabled there is none. Pages that are out come back to the pool later.
        // The fields are not used afterwards.
        unsafe {
            bindings::page_pool_unlink_napi(self.raw.as_ptr());
            if self.napi.is_enabled() {
                bindings::synchronize_net();
            }
            ManuallyDrop::drop(&mut self.rxq);
            bindings::page_pool_destroy(self.raw.as_ptr());
            ManuallyDrop::drop(&mut self.napi);
            ManuallyDrop::drop(&mut self.attached);
        }
    }
}
