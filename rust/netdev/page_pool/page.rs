// SPDX-License-Identifier: GPL-2.0

//! A whole page of a page_pool.

use crate::bindings;
use core::{
    ffi::c_void,
    ptr::NonNull, //
};

/// A whole page of a [`PagePool`](super::PagePool), to be a fragment of a packet.
///
/// Dropping it returns the page to the pool.
///
/// # Invariants
///
/// The page is owned, and starts at the address.
pub struct PoolPage(NonNull<u8>);

// SAFETY: The page is owned, and may be returned from any context.
unsafe impl Send for PoolPage {}

impl PoolPage {
    /// The number of bytes in a page.
    pub const CAPACITY: u32 = bindings::PAGE_SIZE as u32;

    /// # Safety
    ///
    /// The page at `start`, of a page_pool, passes to the new value.
    #[inline]
    pub(super) unsafe fn new(start: NonNull<u8>) -> Self {
        // INVARIANT: By the requirement of this function.
        Self(start)
    }

    #[inline]
    pub(crate) fn data(&self) -> *mut c_void {
        self.0.as_ptr().cast()
    }
}

impl Drop for PoolPage {
    // Not where a packet goes, and a chain has many.
    #[inline(never)]
    fn drop(&mut self) {
        // SAFETY: The page is owned.
        unsafe { bindings::page_pool_put_va(self.data()) }
    }
}
