// SPDX-License-Identifier: GPL-2.0

//! A chunk of a pool, to be lent to the device.

use super::{
    buff::Head,
    XskSource, //
};
use crate::bindings;
use core::{
    ffi::c_void,
    ptr::{
        without_provenance_mut,
        NonNull, //
    },
};
use dma::{
    Buffer,
    Incoming,
    Premapped, //
};

/// A chunk of an [`XskPool`](super::XskPool), which a packet is received into.
///
/// User space may have passed a chunk twice, so there may be two of the same; the device and user space write to its memory
/// at any time as it is.
///
/// It does nothing by itself: one that is dropped is missing in its pool until the queue gets another one. It is given back
/// by [`XskPool::free`](super::XskPool::free).
///
/// # Invariants
///
/// As long as what has the number `id` is open, `head` is a buffer of its pool, and its data is at `dma` for the device. In front
/// of it there are `lead` bytes, and with these it has `capacity` bytes, fewer than 2^24.
pub struct XskChunk {
    head: NonNull<Head>,
    dma: u64,
    id: u32,
    lead: u8,
    capacity: u32,
}

// SAFETY: It is a pointer that is used by those who have the pool.
unsafe impl Send for XskChunk {}

impl XskChunk {
    /// How many bits a capacity has at most.
    pub(super) const CAPACITY_BITS: u32 = 24;

    /// # Safety
    ///
    /// The invariant of the type holds.
    #[inline]
    pub(super) unsafe fn new(head: NonNull<Head>, id: u32, lead: u8, capacity: u32) -> Self {
        Self {
            head,
            // SAFETY: By the requirement of this function the buffer is valid.
            dma: unsafe { bindings::xsk_buff_dma(head.as_ptr().cast()) },
            id,
            lead,
            capacity,
        }
    }

    /// The buffer, which is one of the pool that is open with that number.
    #[inline]
    pub(super) fn head(&self, id: u32) -> Option<NonNull<Head>> {
        (id == self.id).then_some(self.head)
    }
}

// SAFETY: The token is the address of the buffer, and the context holds the rest. The memory stays as long as the source. It
// is user space's: what else writes to it is not a part of this program.
unsafe impl Buffer for XskChunk {
    type Source = XskSource;

    const CONTEXT: bool = true;
    const SEGMENTS: usize = 0;

    unsafe fn release(token: NonNull<c_void>) {
        // SAFETY: By the requirements of this function the buffer is one of a pool that is open.
        unsafe { Head::give_back(token.cast()) };
    }

    unsafe fn abandon(token: NonNull<c_void>) {
        // SAFETY: As above. User space may use the chunk again, as it may write to it at any time; but its pages stay what they
        // are, as nobody gives back these references.
        unsafe {
            bindings::xsk_buff_get_pages(token.as_ptr().cast());
            Head::give_back(token.cast());
        }
    }
}

// SAFETY: The context holds what the type invariant bounds to its bits; so the conversion can be undone. A chunk is of the
// source that has its number.
unsafe impl Incoming for XskChunk {
    #[inline]
    fn capacity(&self) -> u32 {
        self.capacity
    }

    #[inline]
    fn is_of(&self, source: &XskSource) -> bool {
        self.id == source.id()
    }

    #[inline]
    fn into_token(self) -> (NonNull<c_void>, *mut c_void) {
        let small = u32::from(self.lead) << Self::CAPACITY_BITS | self.capacity;
        let context = (self.id as usize) << u32::BITS | small as usize;
        (self.head.cast(), without_provenance_mut(context))
    }

    #[inline]
    unsafe fn reclaim(token: NonNull<c_void>, context: *mut c_void) -> Self {
        let context = context.addr();
        // CAST: The low half.
        let small = context as u32;
        let (lead, capacity) = (
            small >> Self::CAPACITY_BITS,
            small & ((1 << Self::CAPACITY_BITS) - 1),
        );
        // SAFETY: By the requirements of this function the context comes from `into_token`.
        unsafe {
            // CAST: The high half, and eight bits.
            Self::new(
                token.cast(),
                (context >> u32::BITS) as u32,
                lead as u8,
                capacity,
            )
        }
    }

    #[inline]
    fn sync_for_cpu(&self, written: u32) {
        let (head, lead) = (self.head.as_ptr().cast(), u32::from(self.lead));
        // SAFETY: The buffer is valid, and the length is bounded by what was lent.
        unsafe { bindings::xsk_buff_sync_for_cpu(head, lead, written.min(self.capacity)) };
    }
}

// SAFETY: By the type invariant, as long as the source exists.
unsafe impl Premapped for XskChunk {
    #[inline]
    fn dma_address(&self) -> u64 {
        self.dma.wrapping_sub(self.lead.into())
    }
}
