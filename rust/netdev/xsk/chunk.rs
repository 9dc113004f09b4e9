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

/// What the chunks of a pool have in common, as it fits into a word: 8 bits of the number of bytes in front of their data, and 24 of how
/// many there are with these; and above that the number of what has the pool open.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind(usize);

impl Kind {
    const CAPACITY_BITS: u32 = 24;

    /// None if there is no room for the numbers.
    pub(super) fn new(id: u32, lead: u32, capacity: u32) -> Option<Self> {
        if lead > u8::MAX.into() || capacity >> Self::CAPACITY_BITS != 0 {
            return None;
        }
        Some(Self(
            (id as usize) << u32::BITS | (lead << Self::CAPACITY_BITS | capacity) as usize,
        ))
    }

    /// The number of what has the pool open.
    #[inline]
    pub(super) fn id(self) -> u32 {
        // CAST: The high half.
        (self.0 >> u32::BITS) as u32
    }

    /// How many bytes there are in front of the data, which the device writes to.
    #[inline]
    pub(super) fn lead(self) -> u32 {
        // CAST: The low half.
        self.0 as u32 >> Self::CAPACITY_BITS
    }

    /// How many bytes there are altogether.
    #[inline]
    pub(super) fn capacity(self) -> u32 {
        // CAST: The low half.
        self.0 as u32 & ((1 << Self::CAPACITY_BITS) - 1)
    }
}

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
/// As long as what has the number of `kind` is open, `head` is a buffer of its pool, which has what `kind` says.
// Two words, so that it is passed on in registers.
pub struct XskChunk {
    head: NonNull<Head>,
    kind: Kind,
}

// SAFETY: It is a pointer that is used by those who have the pool.
unsafe impl Send for XskChunk {}

impl XskChunk {
    /// # Safety
    ///
    /// The invariant of the type holds.
    #[inline]
    pub(super) unsafe fn new(head: NonNull<Head>, kind: Kind) -> Self {
        Self { head, kind }
    }

    /// The buffer, which is one of the pool that is open with that number, if it is of this kind.
    #[inline]
    pub(super) fn head(&self, kind: Kind) -> Option<NonNull<Head>> {
        (kind == self.kind).then_some(self.head)
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

// SAFETY: The context is what is not the token, so the conversion can be undone. A chunk is of the source that has its number.
unsafe impl Incoming for XskChunk {
    #[inline]
    fn capacity(&self) -> u32 {
        self.kind.capacity()
    }

    #[inline]
    fn is_of(&self, source: &XskSource) -> bool {
        self.kind.id() == source.id()
    }

    #[inline]
    fn into_token(self) -> (NonNull<c_void>, *mut c_void) {
        (self.head.cast(), without_provenance_mut(self.kind.0))
    }

    #[inline]
    unsafe fn reclaim(token: NonNull<c_void>, context: *mut c_void) -> Self {
        // INVARIANT: By the requirements of this function they come from `into_token`.
        Self {
            head: token.cast(),
            kind: Kind(context.addr()),
        }
    }

    #[inline]
    fn sync_for_cpu(&self, source: &XskSource, written: u32) {
        if self.is_of(source) {
            let head = self.head.as_ptr().cast();
            let len = written.min(self.capacity());
            // SAFETY: The source has the pool open, and the length is bounded by what was lent.
            unsafe { bindings::xsk_buff_sync_for_cpu(head, self.kind.lead(), len) };
        }
    }
}

// SAFETY: By the type invariant, as long as the source exists.
unsafe impl Premapped for XskChunk {
    #[inline]
    unsafe fn dma_address(&self) -> u64 {
        // SAFETY: By the requirement of this function the source has the pool open.
        let data = unsafe { bindings::xsk_buff_dma(self.head.as_ptr().cast()) };
        data.wrapping_sub(self.kind.lead().into())
    }
}
