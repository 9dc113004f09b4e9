// SPDX-License-Identifier: GPL-2.0

//! The receive side of a pool: its chunks.

use super::{
    buff::Head,
    XskBuff,
    XskChunk,
    XskSource, //
};
use crate::{
    bindings,
    Exclusive,
    Napi,
    Polling, //
};
use core::{
    ptr::{
        null_mut,
        NonNull, //
    },
    sync::atomic::{
        fence,
        Ordering::SeqCst, //
    },
};
use dma::Incoming;
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// How many chunks are taken from the fill ring together at most.
const BATCH: usize = 64;

/// The chunks of a pool, for the queue that it is bound to.
///
/// # Invariants
///
/// - There is no other value of what `source` has open. Its queue is polled by `napi`.
/// - The last `left` of `batch` are buffers of the pool, and owned.
/// - The headroom of the chunks is at least `lead`, and with it they have `capacity` bytes, fewer than 2^24.
pub struct XskPool {
    source: XskSource,
    napi: Arc<Napi>,
    lead: u8,
    capacity: u32,
    max_chunks: u32,
    batch: KBox<[*mut bindings::xdp_buff; BATCH]>,
    first: usize,
    left: usize,
}

// SAFETY: The pool is used through `&mut` only, and may move between threads.
unsafe impl Send for XskPool {}

impl XskPool {
    /// # Safety
    ///
    /// There is no other value of what `source` has open, whose queue is polled by `napi`.
    pub(super) unsafe fn new(source: XskSource, napi: Arc<Napi>, lead: u32) -> Result<Self> {
        // SAFETY: The pool is open.
        let (headroom, size) = unsafe {
            (
                bindings::xsk_pool_headroom(source.raw()),
                bindings::xsk_pool_frame_size(source.raw()),
            )
        };
        let capacity = size.checked_add(lead).ok_or(EINVAL)?;
        if lead > headroom || size < crate::ETH_HLEN || capacity >> XskChunk::CAPACITY_BITS != 0 {
            return Err(EINVAL);
        }
        let mut pool = Self {
            lead: u8::try_from(lead).map_err(|_| EINVAL)?,
            capacity,
            max_chunks: source.max_chunks(),
            source,
            napi,
            batch: KBox::new([null_mut(); BATCH], GFP_KERNEL)?,
            first: 0,
            left: 0,
        };
        pool.recover();
        Ok(pool)
    }

    /// What the chunks belong to.
    pub fn source(&self) -> XskSource {
        self.source.clone()
    }

    /// How many bytes of a packet a chunk holds.
    pub fn frame_size(&self) -> u32 {
        self.capacity.wrapping_sub(self.lead.into())
    }

    /// How many chunks a packet may have.
    #[inline]
    pub(super) fn max_chunks(&self) -> u32 {
        self.max_chunks
    }

    /// How many bytes there are in front of the data of a chunk, which the device writes to.
    pub(super) fn lead(&self) -> u32 {
        self.lead.into()
    }

    /// The buffer of `chunk`, if it is one of this pool, and `polling` is of its queue.
    pub(super) fn head_of(&self, polling: &Polling<'_>, chunk: &XskChunk) -> Option<NonNull<Head>> {
        let head = chunk.head(self.source.id());
        head.filter(|_| self.is_owned_by(polling.owner()))
    }

    #[inline]
    fn is_owned_by(&self, owner: &Exclusive<'_>) -> bool {
        core::ptr::eq(owner.napi(), &*self.napi)
    }

    /// Takes a chunk that user space has passed. `wanted` are going to be taken: several are taken from the fill ring together.
    ///
    /// None if there is none, or if `owner` is not the owner of the queue.
    #[inline]
    pub fn alloc(&mut self, owner: &Exclusive<'_>, wanted: u32) -> Option<XskChunk> {
        if self.left == 0 {
            self.take_batch(owner, wanted);
        }
        let left = self.left.checked_sub(1)?;
        let raw = self.batch.get(self.first).copied()?;
        let head = NonNull::new(raw)?.cast();
        self.first = self.first.wrapping_add(1);
        self.left = left;
        // SAFETY: By the type invariant it is one of the pool, and owned.
        Some(unsafe { XskChunk::new(head, self.source.id(), self.lead, self.capacity) })
    }

    #[inline(never)]
    fn take_batch(&mut self, owner: &Exclusive<'_>, wanted: u32) {
        if !self.is_owned_by(owner) {
            return;
        }
        let max = wanted.min(BATCH as u32);
        // SAFETY: The pool is open, and the array has room for them. As `owner` owns the queue, nobody else takes any.
        let taken =
            unsafe { bindings::xp_alloc_batch(self.source.raw(), self.batch.as_mut_ptr(), max) };
        // INVARIANT: They are owned.
        self.first = 0;
        self.left = taken.min(max) as usize;
    }

    /// Takes a chunk back, for which nothing has been received. Nothing, if it is none of this pool, or if `owner` is not
    /// the owner of the queue.
    pub fn free(&mut self, owner: &Exclusive<'_>, chunk: XskChunk) {
        if let Some(head) = chunk
            .head(self.source.id())
            .filter(|_| self.is_owned_by(owner))
        {
            // SAFETY: It is a buffer of the pool, which is open.
            unsafe { bindings::xsk_buff_free(head.as_ptr().cast()) };
        }
    }

    /// Takes the chunks back that a queue has released: after it has been reset. May take long, in proportion to the chunks of the
    /// pool. Nobody polls the queue.
    pub fn recover(&mut self) {
        let raw = self.source.raw();
        // SAFETY: The pool is open, and has so many buffers. What has been released is owned by nobody.
        unsafe {
            for index in 0..bindings::xsk_pool_heads(raw) {
                let head = bindings::xsk_pool_head(raw, index);
                let Some(place) = NonNull::new(head.cast::<Head>()) else {
                    continue;
                };
                if Head::take_returned(place) {
                    bindings::xsk_buff_free(head);
                }
            }
        }
    }

    /// The packet in `chunk`, to which the device has written `written` bytes. The first `skip` of them are not a part of the packet:
    /// no more than lie in front of the data.
    ///
    /// None if the length is none that can be: then the chunk goes back. Or if it is none of this pool, or `polling` is not of the
    /// queue.
    #[inline]
    pub fn receive<'p>(
        &'p mut self,
        polling: &'p Polling<'_>,
        chunk: XskChunk,
        skip: u32,
        written: u32,
    ) -> Option<XskBuff<'p>> {
        let head = chunk.head(self.source.id());
        let back = u32::from(self.lead).checked_sub(skip);
        match (head, back, written.checked_sub(skip)) {
            (Some(head), Some(back), Some(len))
                if written <= chunk.capacity() && self.is_owned_by(polling.owner()) =>
            {
                // SAFETY: It is a buffer of the pool, and has that many bytes. This is the poll function of the queue.
                Some(unsafe { XskBuff::new(head, back, skip, len, self) })
            }
            _ => {
                self.free(polling.owner(), chunk);
                None
            }
        }
    }

    /// Says whether there are enough chunks: if not, user space is to wake the queue up when it has passed some, if it has asked to
    /// be told. Returns whether the queue has to look again by itself: there are chunks now, or user space does not wake it up.
    #[inline]
    pub fn set_enough(&mut self, owner: &Exclusive<'_>, enough: bool) -> bool {
        let raw = self.source.raw();
        // SAFETY: The pool is open.
        unsafe {
            if !bindings::xsk_uses_need_wakeup(raw) {
                return !enough;
            }
            if enough {
                bindings::xsk_clear_rx_need_wakeup(raw);
                return false;
            }
            bindings::xsk_set_rx_need_wakeup(raw);
        }
        // Who has passed chunks before it could see that looks for them now.
        fence(SeqCst);
        if self.left == 0 {
            self.take_batch(owner, BATCH as u32);
        }
        self.left != 0
    }
}

impl Drop for XskPool {
    fn drop(&mut self) {
        let rest = self.batch.iter().skip(self.first).take(self.left);
        for raw in rest {
            // SAFETY: By the type invariant. The pool is open, and nobody takes chunks from it.
            unsafe { bindings::xsk_buff_free(*raw) };
        }
    }
}
