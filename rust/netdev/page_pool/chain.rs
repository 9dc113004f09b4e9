// SPDX-License-Identifier: GPL-2.0

//! A receive buffer of several pages, for a device that does not merge buffers.

use super::{
    PagePool,
    PoolBuffer,
    PoolPage,
    PoolSource, //
};
use crate::{
    bindings,
    Exclusive,
    Polling,
    RxSkb,
    XdpBuff, //
};
use core::{
    ffi::c_void,
    ptr::{
        null,
        null_mut,
        NonNull, //
    },
};
use dma::{
    sg,
    Buffer,
    Incoming,
    Scattered, //
};
use kernel::prelude::*;

/// The largest number of pages behind the first buffer: what one skb can have as fragments.
const MAX_PAGES: usize = bindings::MAX_SKB_FRAGS as usize;

/// A receive buffer that holds a packet of many pages.
///
/// A packet [takes](Self::take) only those pages that it fills; what is missing is
/// [filled](Self::fill) in again before the buffer is lent the next time.
pub struct Chain(KBox<Parts>);

/// # Invariants
///
/// - `wanted <= MAX_PAGES`. Pages at `wanted` and behind are `None`.
/// - All parts belong to the same pool, `pool` if there are any. It maps its pages if `mapped` says so.
struct Parts {
    first: Option<PoolBuffer>,
    pages: [Option<PoolPage>; MAX_PAGES],
    wanted: usize,
    /// The length of the header that gets a segment of its own, or 0.
    header: u32,
    pool: *const bindings::page_pool,
    mapped: bool,
}

// SAFETY: It owns buffers and pages, which are `Send`; the pointer to the pool is only compared.
unsafe impl Send for Parts {}

impl Chain {
    /// The largest capacity that a buffer can have, in bytes.
    pub const MAX_CAPACITY: u32 = PoolBuffer::WHOLE_PAGE + MAX_PAGES as u32 * PoolPage::CAPACITY;

    /// A buffer that is going to have a capacity of at least `capacity` bytes, and is empty yet.
    ///
    /// The first `header` bytes get a segment of their own; 0 if they need not. Any context.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `capacity` is above [`MAX_CAPACITY`](Self::MAX_CAPACITY), or if the header does
    /// not fit into the first page; `ENOMEM`.
    pub fn new(capacity: u32, header: u32, owner: &Exclusive<'_>) -> Result<Self> {
        if capacity > Self::MAX_CAPACITY || header >= PoolBuffer::WHOLE_PAGE {
            return Err(EINVAL);
        }
        let behind = capacity.saturating_sub(PoolBuffer::WHOLE_PAGE);
        let parts = KBox::new(
            // INVARIANT: `capacity` has been checked; there are no parts yet.
            Parts {
                first: None,
                pages: [const { None }; MAX_PAGES],
                wanted: behind.div_ceil(PoolPage::CAPACITY) as usize,
                header,
                pool: null(),
                mapped: false,
            },
            owner.flags(),
        )?;
        Ok(Self(parts))
    }

    /// Whether a part is missing.
    fn is_incomplete(&self) -> bool {
        self.0.first.is_none() || self.0.wanted().any(Option::is_none)
    }

    /// Fills in what is missing, from `pool`. Returns whether nothing is missing any more: `false`
    /// if there is no memory, or if `owner` is not the owner of the queue that the pool is for.
    ///
    /// All parts have to belong to the same pool: those of another one are let go first.
    pub fn fill(&mut self, pool: &mut PagePool, owner: &Exclusive<'_>) -> bool {
        let parts = &mut *self.0;
        if !core::ptr::eq(parts.pool, pool.raw.as_ptr()) {
            parts.first = None;
            parts.pages = [const { None }; MAX_PAGES];
            // INVARIANT: There are no parts.
            parts.pool = pool.raw.as_ptr();
        }
        // Of another pool at the same address there are no parts: it would have stayed.
        parts.mapped = !pool.source.0.dma_device.is_null();
        if parts.first.is_none() {
            parts.first = pool
                .alloc(owner, PoolBuffer::WHOLE_PAGE)
                .map(PoolBuffer::from);
        }
        for page in parts.pages.iter_mut().take(parts.wanted) {
            if page.is_none() {
                *page = pool.alloc_page(owner);
            }
            if page.is_none() {
                return false;
            }
        }
        parts.first.is_some()
    }

    /// The first part, which the packet starts in; `None` if it is missing.
    #[inline]
    pub fn first(&self) -> Option<&PoolBuffer> {
        self.0.first.as_ref()
    }

    /// Makes a packet of `len` bytes, which start `skip` bytes into the buffer, without copying
    /// unless they are few.
    ///
    /// Returns `None` if the buffer is shorter, or if there is no memory for the `struct sk_buff`.
    pub fn take(&mut self, polling: &Polling<'_>, skip: u32, len: u32) -> Option<RxSkb> {
        let parts = &mut *self.0;
        if len <= PoolBuffer::COPY {
            return parts.first.as_ref()?.copy_to_skb(polling, skip, len);
        }
        let first = parts.first.take()?;
        let linear = len.min(first.capacity().checked_sub(skip)?);
        let mut skb = first.into_skb(polling, skip, linear).ok()?;
        let mut rest = len.wrapping_sub(linear);

        for page in &mut parts.pages {
            if rest == 0 {
                break;
            }
            let part = rest.min(PoolPage::CAPACITY);
            // What has been appended so far goes with `skb`.
            skb.append_page(page.take()?, part).ok()?;
            rest = rest.wrapping_sub(part);
        }
        (rest == 0).then_some(skb)
    }

    /// Copies `len` bytes that start `skip` bytes into the buffer, behind those of `packet`. Returns whether they are there and
    /// fit.
    pub fn copy(&self, packet: &mut XdpBuff<'_>, skip: u32, len: u32) -> bool {
        let Some(first) = &self.0.first else {
            return false;
        };
        let Some(there) = first.capacity().checked_sub(skip) else {
            return false;
        };
        let head = len.min(there);
        if !packet.copy(first, skip, head) {
            return false;
        }
        let mut rest = len.wrapping_sub(head);
        for page in self.0.wanted().flatten() {
            if rest == 0 {
                break;
            }
            let part = rest.min(PoolPage::CAPACITY);
            if !packet.copy_page(page, part) {
                return false;
            }
            rest = rest.wrapping_sub(part);
        }
        rest == 0
    }
}

impl Parts {
    /// The pages that belong to a complete buffer.
    fn wanted(&self) -> impl Iterator<Item = &Option<PoolPage>> {
        self.pages.iter().take(self.wanted)
    }

    /// The segments of the buffer, as far as there are parts: addresses and lengths.
    fn segments(&self) -> impl Iterator<Item = (*mut c_void, u32)> + '_ {
        let first = self.first.iter().flat_map(|first| {
            let (start, rest) = (first.data(), first.capacity().wrapping_sub(self.header));
            // The header is shorter than the first part: it was checked against a whole page.
            let behind = start.wrapping_byte_add(self.header as usize);
            let header = (self.header != 0).then_some((start, self.header));
            Iterator::chain(header.into_iter(), [(behind, rest)])
        });
        let pages = self.wanted().flatten();
        Iterator::chain(first, pages.map(|page| (page.data(), PoolPage::CAPACITY)))
    }
}

// SAFETY: The token is the box. While it is a token nothing accesses the parts.
unsafe impl Buffer for Chain {
    type Source = PoolSource;

    const CONTEXT: bool = false;
    // The header, the rest of the first part, and the pages.
    const SEGMENTS: usize = MAX_PAGES + 2;

    unsafe fn release(token: NonNull<c_void>) {
        // SAFETY: By the requirements of this function.
        drop(unsafe { Self::from_token(token) });
    }

    unsafe fn abandon(token: NonNull<c_void>) {
        // SAFETY: By the requirements of this function.
        let chain = unsafe { Self::from_token(token) };
        for (start, _) in chain.0.segments() {
            // SAFETY: The chain owns the page, which goes back to its pool now. The pool does not use one again that somebody else
            // has, and nobody gives back this reference.
            unsafe { bindings::page_get_va(start) }
        }
    }
}

impl Chain {
    /// # Safety
    ///
    /// `token` comes from `into_token`, and is used once.
    #[inline]
    unsafe fn from_token(token: NonNull<c_void>) -> Self {
        // SAFETY: By the requirement of this function it comes from `KBox::leak`.
        Self(unsafe { KBox::from_raw(token.cast().as_ptr()) })
    }
}

// SAFETY: `reclaim` undoes `into_token`. By the invariant of `Parts` all belong to the same pool. If there are none, none
// is lent: `map` fails.
unsafe impl Incoming for Chain {
    #[inline]
    fn capacity(&self) -> u32 {
        let first = self.0.first.as_ref().map_or(0, PoolBuffer::capacity);
        // CAST: There are at most `MAX_PAGES`.
        let pages = self.0.wanted().flatten().count() as u32;
        // At most `MAX_CAPACITY`.
        first.wrapping_add(pages.wrapping_mul(PoolPage::CAPACITY))
    }

    #[inline]
    fn is_of(&self, source: &PoolSource) -> bool {
        core::ptr::eq(self.0.pool, source.0.raw.as_ptr())
    }

    #[inline]
    fn into_token(self) -> (NonNull<c_void>, *mut c_void) {
        (NonNull::from(KBox::leak(self.0)).cast(), null_mut())
    }

    #[inline]
    unsafe fn reclaim(token: NonNull<c_void>, _context: *mut c_void) -> Self {
        // SAFETY: By the requirements of this function.
        unsafe { Self::from_token(token) }
    }

    fn sync_for_cpu(&self, _source: &PoolSource, written: u32) {
        let mut rest = written;
        for (start, len) in self.0.segments() {
            if rest == 0 {
                break;
            }
            // SAFETY: The segment is owned, and the length is bounded by its own.
            unsafe { bindings::page_pool_va_sync_for_cpu(start, rest.min(len)) };
            rest = rest.saturating_sub(len);
        }
    }
}

// SAFETY: `map` describes the parts, which the buffer owns: as many bytes as `capacity` adds up.
unsafe impl Scattered for Chain {
    fn map(&self, table: &mut sg::Table) -> Result<sg::Mapped> {
        let mapped = self.0.mapped;
        let entries = self.0.segments().count();
        if self.is_incomplete() || entries > table.capacity() {
            return Err(EMSGSIZE);
        }
        let list = table.as_mut_ptr();
        // SAFETY: The table has `entries` entries. Each segment lies in a page of a page_pool, that
        // is mapped if `mapped` says so. `sg_start` marks the last entry.
        unsafe {
            bindings::sg_start(list, entries as u32);
            for (index, (start, len)) in self.0.segments().enumerate() {
                bindings::sg_set_pp_va(list.add(index), start, len, mapped);
            }
            Ok(sg::Mapped::new(entries as u32))
        }
    }
}
