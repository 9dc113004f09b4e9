// SPDX-License-Identifier: GPL-2.0

//! Scatter-gather lists: the segments of one buffer.
//!
//! C header: [`include/linux/scatterlist.h`](srctree/include/linux/scatterlist.h)

use crate::bindings;
use core::ptr::slice_from_raw_parts_mut;
use kernel::{
    alloc::flags::*,
    prelude::*, //
};

/// Room for the segments of the buffer that is being added to a queue.
///
/// One table serves all buffers of a queue, since the virtio core copies it into descriptors at
/// once.
pub struct Table {
    entries: KBox<[bindings::scatterlist]>,
}

// SAFETY: The pointers in the entries are used only during the call that has just written them.
unsafe impl Send for Table {}

/// The number of entries of a [`Table`] that describe a buffer.
///
/// # Invariants
///
/// The last of that many entries is marked as the end of the list.
pub struct Mapped(u32);

impl Mapped {
    /// # Safety
    ///
    /// The first `entries` entries of the table are a terminated list of the buffer's memory.
    pub unsafe fn new(entries: u32) -> Self {
        Self(entries)
    }

    /// How many there are.
    pub fn entries(&self) -> u32 {
        self.0
    }
}

impl Table {
    /// A table of so many entries. Process context. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(entries: usize) -> Result<Self> {
        let table = KVec::with_capacity(entries, GFP_KERNEL | __GFP_ZERO)?;
        let (start, _, _) = table.into_raw_parts();
        // SAFETY: It is new memory of the same allocator, there is room for them, and an entry may be all zeroes.
        let entries = unsafe { KBox::from_raw(slice_from_raw_parts_mut(start, entries)) };
        Ok(Self { entries })
    }

    /// The number of entries.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.entries.len()
    }

    /// The first entry, for functions of C.
    #[inline]
    pub fn as_mut_ptr(&mut self) -> *mut bindings::scatterlist {
        self.entries.as_mut_ptr()
    }
}
