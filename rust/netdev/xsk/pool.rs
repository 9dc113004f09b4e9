// SPDX-License-Identifier: GPL-2.0

//! The receive side of a pool: its chunks.

use super::{
    buff::Head,
    chunk::Kind,
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
    mem::MaybeUninit,
    ptr::NonNull,
    slice,
    sync::atomic::{
        fence,
        Ordering::SeqCst, //
    },
};
use dma::{
    Incoming,
    PremappedBatch, //
};
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
/// - The `left` from `first` on in `batch` are buffers of the pool, and owned.
/// - `kind` has the number of `source`, and says what all buffers of the pool have: at least as many bytes in front of their data, and
///   with these at least as many altogether.
pub struct XskPool {
    source: XskSource,
    napi: Arc<Napi>,
    kind: Kind,
    max_chunks: u32,
    batch: KBox<[MaybeUninit<NonNull<Head>>; BATCH]>,
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
        if lead > headroom || size < crate::ETH_HLEN {
            return Err(EINVAL);
        }
        let mut pool = Self {
            kind: Kind::new(source.id(), lead, capacity).ok_or(EINVAL)?,
            max_chunks: source.max_chunks(),
            source,
            napi,
            batch: KBox::new([MaybeUninit::uninit(); BATCH], GFP_KERNEL)?,
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
        self.kind.capacity().wrapping_sub(self.kind.lead())
    }

    /// What its chunks are of.
    #[inline]
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// How many chunks a packet may have.
    #[inline]
    pub(super) fn max_chunks(&self) -> u32 {
        self.max_chunks
    }

    /// How many bytes there are in front of the data of a chunk, which the device writes to.
    pub(super) fn lead(&self) -> u32 {
        self.kind.lead()
    }

    /// The buffer of `chunk`, if it is one of this pool, and `owner` is the owner of the queue.
    #[inline]
    pub(super) fn head_of(&self, owner: &Exclusive<'_>, chunk: &XskChunk) -> Option<NonNull<Head>> {
        let head = chunk.head(self.kind);
        head.filter(|_| self.is_owned_by(owner))
    }

    #[inline]
    fn is_owned_by(&self, owner: &Exclusive<'_>) -> bool {
        core::ptr::eq(owner.napi(), &*self.napi)
    }

    /// Takes up to `wanted` chunks that user space has passed, in its order: none if there are none, or if `owner` is not the owner
    /// of the queue. There may be more than these.
    #[inline]
    pub fn take(&mut self, owner: &Exclusive<'_>, wanted: u32) -> XskChunks<'_> {
        if self.left == 0 && wanted != 0 {
            self.take_batch(owner, wanted);
        }
        // CAST: It does not get smaller.
        let count = self.left.min(wanted as usize);
        let start = self.first;
        // INVARIANT: They pass to the iterator.
        self.first = start.wrapping_add(count);
        self.left = self.left.wrapping_sub(count);
        XskChunks {
            heads: self.batch.get(start..self.first).unwrap_or_default().iter(),
            kind: self.kind,
            first: &mut self.first,
            left: &mut self.left,
        }
    }

    #[inline(never)]
    fn take_batch(&mut self, owner: &Exclusive<'_>, wanted: u32) {
        if !self.is_owned_by(owner) {
            return;
        }
        let max = wanted.min(BATCH as u32);
        let batch = self.batch.as_mut_ptr().cast();
        // SAFETY: The pool is open, and the array has room for them. As `owner` owns the queue, nobody else takes any.
        let taken = unsafe { bindings::xp_alloc_batch(self.source.raw(), batch, max) };
        // INVARIANT: They are owned.
        self.first = 0;
        self.left = taken.min(max) as usize;
    }

    /// Takes a chunk back, for which nothing has been received. Nothing, if it is none of this pool, or if `owner` is not
    /// the owner of the queue.
    #[inline]
    pub fn free(&mut self, owner: &Exclusive<'_>, chunk: XskChunk) {
        if let Some(head) = self.head_of(owner, &chunk) {
            // SAFETY: It is a buffer of the pool, which is open.
            unsafe { free(head) };
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
    /// no more than lie in front of the data. It has `least` bytes at least.
    ///
    /// None if the length is none that can be: then the chunk goes back. Or if it is none of this pool, or `polling` is not of the
    /// queue.
    #[inline]
    pub fn receive<'p>(
        &'p mut self,
        polling: &'p Polling<'_>,
        chunk: XskChunk,
        skip: u32,
        least: u32,
        written: u32,
    ) -> Option<XskBuff<'p>> {
        let head = self.head_of(polling.owner(), &chunk)?;
        let is_long_enough = u64::from(skip).wrapping_add(least.into()) <= written.into();
        match self.kind.lead().checked_sub(skip) {
            Some(back) if is_long_enough && written <= chunk.capacity() => {
                let len = written.wrapping_sub(skip);
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

/// Chunks that are taken from a pool, one by one. Those that are not stay there.
///
/// # Invariants
///
/// `heads` are buffers of a pool whose chunks are of that kind, and owned. In its batch the `left` from `first` on come next.
pub struct XskChunks<'pool> {
    heads: slice::Iter<'pool, MaybeUninit<NonNull<Head>>>,
    kind: Kind,
    first: &'pool mut usize,
    left: &'pool mut usize,
}

impl Iterator for XskChunks<'_> {
    type Item = XskChunk;

    #[inline]
    fn next(&mut self) -> Option<XskChunk> {
        let head = self.heads.next()?;
        // SAFETY: By the type invariant.
        Some(unsafe { XskChunk::new(*head.assume_init_ref(), self.kind) })
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.heads.size_hint()
    }
}

impl ExactSizeIterator for XskChunks<'_> {}

// SAFETY: The chunks are of the kind that says which source they belong to.
unsafe impl PremappedBatch for XskChunks<'_> {
    #[inline]
    fn is_of(&self, source: &XskSource) -> bool {
        self.kind.id() == source.id()
    }
}

impl Drop for XskChunks<'_> {
    #[inline]
    fn drop(&mut self) {
        // INVARIANT: They go back to where they were.
        *self.first = self.first.wrapping_sub(self.heads.len());
        *self.left = self.left.wrapping_add(self.heads.len());
    }
}

/// Gives a chunk back.
///
/// # Safety
///
/// It is a buffer of a pool that is open, and owned, as is the queue of the pool.
// Apart, so that whoever receives keeps in registers what this is for.
#[cold]
#[inline(never)]
unsafe fn free(head: NonNull<Head>) {
    // SAFETY: By the requirement of this function.
    unsafe { bindings::xsk_buff_free(head.as_ptr().cast()) }
}

impl Drop for XskPool {
    fn drop(&mut self) {
        for head in self.batch.iter().skip(self.first).take(self.left) {
            // SAFETY: By the type invariant. The pool is open, and nobody takes chunks from it.
            unsafe { bindings::xsk_buff_free(head.assume_init().as_ptr().cast()) };
        }
    }
}
