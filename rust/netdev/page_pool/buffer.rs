// SPDX-License-Identifier: GPL-2.0

//! A receive buffer of one segment.

use super::{
    PoolSource,
    ALIGN,
    HEADROOM,
    TAILROOM, //
};
use crate::bindings;
use core::{
    ffi::c_void,
    ptr::NonNull, //
};
use dma::{
    Buffer,
    Incoming,
    Placed, //
};

/// How many bits of a context word hold the capacity of a buffer; the headroom is above them.
const CAPACITY_BITS: u32 = 24;

/// The size of a page, in bytes.
const PAGE: u32 = bindings::PAGE_SIZE as u32;

/// How many buffers that hold `len` bytes are cut from a page of `page` bytes, if `tailroom` bytes are kept
/// behind each: as many as there can be, so that a packet does not hold much more memory than it needs, but a
/// power of two of them, so that they are alike.
const fn per_page(len: u32, page: u32, tailroom: u32) -> u32 {
    let needed = (HEADROOM + len + tailroom).next_multiple_of(ALIGN);
    let mut count = 1;
    while page / (2 * count) >= needed {
        count *= 2;
    }
    count
}

// With other sizes of pages, and with the largest `CONFIG_MAX_SKB_FRAGS`: fragments take 16 bytes each.
const _: () = {
    const FRAME: u32 = 24 + 14 + 4 + 1500;

    assert!(per_page(FRAME, 0x1000, 320) == 2);
    assert!(per_page(FRAME, 0x1000, 320 + (45 - 17) * 16) == 1);
    assert!(per_page(FRAME, 0x4000, 320) == 8);
    assert!(per_page(FRAME, 0x4000, 320 + (45 - 17) * 16) == 4);
    assert!(per_page(FRAME, 0x10000, 320) == 32);
};

/// A receive buffer: a fragment of a page of a [`PagePool`](super::PagePool).
///
/// Dropping it returns the fragment to the pool.
///
/// # Invariants
///
/// - The fragment is owned. It starts `headroom` bytes before `data`, and has `capacity + TAILROOM` from there on, which are both in
///   `lengths`: the word of context.
/// - `headroom + capacity + TAILROOM < 1 << CAPACITY_BITS`.
// Two words, so that it is passed in registers.
pub struct PoolBuffer {
    data: NonNull<u8>,
    lengths: usize,
}

// SAFETY: The fragment is owned, and may be returned from any context.
unsafe impl Send for PoolBuffer {}

impl PoolBuffer {
    /// # Safety
    ///
    /// The fragment of `size` bytes at `start` passes to the new value. It has room for headroom
    /// and tailroom, and is not longer than a page.
    #[inline]
    pub(super) unsafe fn new(start: NonNull<u8>, size: u32, headroom: u32) -> Self {
        // By the requirement of this function neither subtraction overflows.
        let capacity = size.wrapping_sub(headroom).wrapping_sub(TAILROOM);
        // INVARIANT: As above.
        Self {
            // SAFETY: The fragment is longer than the headroom.
            data: unsafe { start.add(headroom as usize) },
            lengths: (headroom as usize) << CAPACITY_BITS | capacity as usize,
        }
    }

    /// The capacity of the shortest buffers that hold `len` bytes and of which a page is cut into a power of two, in
    /// bytes: those that waste the least memory, and are alike. `len` is at most [`WHOLE_PAGE`](Self::WHOLE_PAGE).
    pub const fn capacity_for(len: u32) -> u32 {
        assert!(len <= Self::WHOLE_PAGE);
        PAGE / per_page(len, PAGE, TAILROOM) - HEADROOM - TAILROOM
    }

    /// The capacity of the largest buffer, which takes a page, in bytes.
    pub const WHOLE_PAGE: u32 = PAGE - HEADROOM - TAILROOM;

    /// The room in front of a packet that XDP programs expect, in bytes.
    pub const XDP_HEADROOM: u32 = bindings::XDP_PACKET_HEADROOM;

    /// The capacity of a buffer with that much room, which takes a page, in bytes.
    pub const XDP_CAPACITY: u32 = PAGE - Self::XDP_HEADROOM - TAILROOM;

    /// Whether there is the room in front that XDP programs expect, with the first `skip` bytes of the data.
    #[inline]
    pub fn suits_program(&self, skip: u32) -> bool {
        self.headroom().saturating_add(skip) >= Self::XDP_HEADROOM
    }

    /// Copies the first bytes of the data, of which the device has written so many.
    ///
    /// A device that is not kept away from the memory by an IOMMU could still write to it. So the
    /// bytes are looked at in the copy, not in place. Returns `None` if there are fewer.
    #[inline]
    pub fn copy_start<const N: usize>(&self, written: u32) -> Option<[u8; N]> {
        if N > written.min(self.capacity()) as usize {
            return None;
        }
        // SAFETY: The fragment is owned, and has that many bytes.
        Some(unsafe { self.data.cast::<[u8; N]>().read() })
    }

    /// Where the `len` bytes are that start `skip` bytes into the data. None if there are fewer.
    #[inline]
    pub(crate) fn part(&self, skip: u32, len: u32) -> Option<*mut c_void> {
        // Where `len` is what is left behind `skip`, the compiler finds the sum known.
        let end = skip.wrapping_add(len);
        (end >= skip && end <= self.capacity())
            .then(|| self.data().wrapping_byte_add(skip as usize))
    }

    /// The start and the size of the fragment.
    #[inline]
    pub(crate) fn fragment(&self) -> (*mut c_void, u32) {
        // The subtraction stays inside of the fragment, and the sum is its size, by the type invariant.
        let headroom = self.headroom();
        let start = self.data.as_ptr().wrapping_sub(headroom as usize);
        let size = headroom
            .wrapping_add(self.capacity())
            .wrapping_add(TAILROOM);
        (start.cast(), size)
    }

    #[inline]
    pub(crate) fn headroom(&self) -> u32 {
        // CAST: By the type invariant it fits.
        (self.lengths >> CAPACITY_BITS) as u32
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
    type Source = PoolSource;

    const CONTEXT: bool = true;
    const SEGMENTS: usize = 0;

    unsafe fn release(token: NonNull<c_void>) {
        // SAFETY: By the requirements of this function the fragment at `token` is owned.
        unsafe { bindings::page_pool_put_va(token.as_ptr()) }
    }

    unsafe fn abandon(token: NonNull<c_void>) {
        // SAFETY: As above. The pool does not use a page again that somebody else has, and nobody gives back this reference.
        unsafe {
            bindings::page_get_va(token.as_ptr());
            bindings::page_pool_put_va(token.as_ptr());
        }
    }
}

// SAFETY: The token and the context are all that a buffer has, so the conversion can be undone.
unsafe impl Incoming for PoolBuffer {
    #[inline]
    fn capacity(&self) -> u32 {
        // CAST: So many bits fit.
        (self.lengths & ((1 << CAPACITY_BITS) - 1)) as u32
    }

    #[inline]
    fn is_of(&self, source: &PoolSource) -> bool {
        source.has(self)
    }

    #[inline]
    fn into_token(self) -> (NonNull<c_void>, *mut c_void) {
        let (token, context) = (self.data.cast(), self.lengths);
        core::mem::forget(self);
        (token, core::ptr::without_provenance_mut(context))
    }

    #[inline]
    unsafe fn reclaim(token: NonNull<c_void>, context: *mut c_void) -> Self {
        // INVARIANT: By the requirements of this function they come from `into_token`.
        Self {
            data: token.cast(),
            lengths: context.addr(),
        }
    }

    #[inline]
    fn sync_for_cpu(&self, _source: &PoolSource, written: u32) {
        let len = written.min(self.capacity());
        // SAFETY: The fragment is owned, and has that many bytes.
        unsafe { bindings::page_pool_va_sync_for_cpu(self.data(), len) };
    }
}

/// A receive buffer that has just been cut from its pool, to be lent or looked at.
///
/// # Invariants
///
/// The fragment lies in `page`, which is one page of `pool`.
pub struct NewBuffer {
    buffer: PoolBuffer,
    page: NonNull<bindings::page>,
    pool: NonNull<bindings::page_pool>,
}

// SAFETY: It owns a buffer, which is `Send`; the page goes with that, and the pointer to the pool is only compared.
unsafe impl Send for NewBuffer {}

impl NewBuffer {
    /// # Safety
    ///
    /// The fragment of `buffer` lies in `page`, which is one page of `pool`.
    #[inline]
    pub(super) unsafe fn new(
        buffer: PoolBuffer,
        page: NonNull<bindings::page>,
        pool: NonNull<bindings::page_pool>,
    ) -> Self {
        // INVARIANT: By the requirement of this function.
        Self { buffer, page, pool }
    }
}

impl From<NewBuffer> for PoolBuffer {
    #[inline]
    fn from(new: NewBuffer) -> Self {
        new.buffer
    }
}

// SAFETY: By the type invariants of both. The pool exists as long as the fragment, so no other one is at its address.
unsafe impl Placed<PoolBuffer> for NewBuffer {
    #[inline]
    fn is_of(&self, source: &PoolSource) -> bool {
        source.is(self.pool)
    }

    #[inline]
    fn page(&self) -> *mut bindings::page {
        self.page.as_ptr()
    }

    #[inline]
    fn into_buffer(self) -> PoolBuffer {
        self.buffer
    }
}
