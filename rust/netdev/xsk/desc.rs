// SPDX-License-Identifier: GPL-2.0

//! What user space wants sent: one packet, and what it is when it has been.

use super::XskSource;
use crate::bindings;
use core::marker::PhantomData;
use dma::sg;
use kernel::prelude::*;

/// A packet that is to be sent, in memory of user space. What its descriptors said has been copied, and checked against the
/// pool.
///
/// # Invariants
///
/// As long as what has the number `id` is open, the device finds the first `first_len` bytes at `dma`, and as many zeroes at `zeroes`
/// as `XskSource::ZEROES` says. If there are more `chunks`, those from `next` on of the pool `raw`, which keeps them for the
/// lifetime, have the rest.
pub struct XskDesc<'a> {
    dma: u64,
    first_len: u32,
    sent: XskSent,
    zeroes: u64,
    id: u32,
    next: u32,
    raw: *mut bindings::xsk_buff_pool,
    batch: PhantomData<&'a ()>,
}

/// A packet that has been sent, or could not be.
pub struct XskSent {
    /// That of the first chunk.
    pub(super) number: u32,
    pub(super) chunks: u32,
    len: u32,
}

impl XskSent {
    /// How many bits a length has. Chunks are not longer than a page.
    const LEN_BITS: u32 = 24;
    /// How many bits the number of chunks has.
    const CHUNKS_BITS: u32 = 6;

    /// The length of the packet, in bytes.
    #[inline]
    #[expect(clippy::len_without_is_empty)]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// In a token whose `low` lowest bits are 0, two at most.
    ///
    /// There is no memory behind it.
    #[inline]
    pub fn to_addr(&self, low: u32) -> usize {
        let small = self.chunks << Self::LEN_BITS | self.len;
        ((self.number as usize) << (Self::LEN_BITS + Self::CHUNKS_BITS) | small as usize) << low
    }

    /// What [`to_addr`](Self::to_addr) has put there.
    #[inline]
    pub fn from_addr(addr: usize, low: u32) -> Self {
        let addr = addr >> low;
        // CAST: The numbers have been put there, with so many bits.
        let small = addr as u32 & ((1 << (Self::LEN_BITS + Self::CHUNKS_BITS)) - 1);
        Self {
            number: (addr >> (Self::LEN_BITS + Self::CHUNKS_BITS)) as u32,
            chunks: small >> Self::LEN_BITS,
            len: small & ((1 << Self::LEN_BITS) - 1),
        }
    }
}

impl XskDesc<'_> {
    /// How many chunks a packet can have.
    pub const MAX_CHUNKS: u32 = (1 << XskSent::CHUNKS_BITS) - 1;

    /// The packet that begins with the descriptor `index`, of `end` that have been taken.
    ///
    /// # Safety
    ///
    /// So many have been taken from the pool, and no others are in the lifetime of the result.
    #[inline]
    pub(super) unsafe fn read(source: &XskSource, index: u32, end: u32) -> Self {
        let raw = source.raw();
        let (mut first_len, mut more) = (0, false);
        // SAFETY: The pool is open. The core keeps descriptors where user space cannot write to, and has checked them.
        let dma = unsafe { bindings::xsk_tx_desc(raw, index, &mut first_len, &mut more) };
        let next = index.wrapping_add(1);
        let (mut chunks, mut len) = (1, first_len);
        if more {
            // SAFETY: As above.
            let (rest, bytes) = unsafe { measure(raw, next, end) };
            (chunks, len) = (rest.saturating_add(1), len.saturating_add(bytes));
        }
        // INVARIANT: It is a packet of the pool.
        Self {
            dma,
            first_len,
            sent: XskSent {
                number: 0,
                chunks,
                len,
            },
            zeroes: source.zeroes(),
            id: source.id(),
            next,
            raw,
            batch: PhantomData,
        }
    }

    /// How many chunks it has.
    #[inline]
    pub(super) fn chunks(&self) -> u32 {
        self.sent.chunks
    }

    /// Numbers its chunks, from `first` on.
    #[inline]
    pub(super) fn set_number(&mut self, first: u32) {
        self.sent.number = first;
    }

    /// Whether it belongs to `source`.
    #[inline]
    pub fn is_of(&self, source: &XskSource) -> bool {
        self.id == source.id()
    }

    /// Describes `zeroes` zeroes and the packet, by DMA addresses.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if there are not so many zeroes, or if the table has fewer entries than that takes.
    #[inline]
    pub fn map(&self, zeroes: u32, table: &mut sg::Table) -> Result<sg::Mapped> {
        let chunks = self.sent.chunks as usize;
        if table.capacity() <= chunks || zeroes > XskSource::ZEROES {
            return Err(EMSGSIZE);
        }
        let list = table.as_mut_ptr();
        // SAFETY: The table has an entry for each chunk and one more, which are two at least. What is behind the first chunk is as the
        // type invariant says.
        unsafe {
            if chunks == 1 {
                bindings::sg_start(list, 2);
            } else {
                start_long(list, self.sent.chunks, self.raw, self.next);
            }
            bindings::sg_set_dma(list, self.zeroes, zeroes);
            bindings::sg_set_dma(list.add(1), self.dma, self.first_len);
            Ok(sg::Mapped::new(self.sent.chunks.wrapping_add(1)))
        }
    }

    /// What it is when it has been sent.
    #[inline]
    pub fn into_sent(self) -> XskSent {
        self.sent
    }
}

/// Describes the chunks behind the first one, from the descriptor `next` on, in a list with an entry in front of them all.
///
/// # Safety
///
/// The list has so many entries, and one more. The pool is open, and the descriptors have been taken from it.
// By value, so that a packet of one chunk need not be in memory.
#[cold]
unsafe fn start_long(
    list: *mut bindings::scatterlist,
    chunks: u32,
    raw: *mut bindings::xsk_buff_pool,
    next: u32,
) {
    // SAFETY: By the requirements of this function.
    unsafe {
        bindings::sg_start(list, chunks.wrapping_add(1));
        for index in 0..chunks.saturating_sub(1) {
            let (mut len, mut more) = (0, false);
            let dma = bindings::xsk_tx_desc(raw, next.wrapping_add(index), &mut len, &mut more);
            bindings::sg_set_dma(list.add(index as usize + 2), dma, len);
        }
    }
}

/// How many chunks a packet goes on in, from the descriptor `index` on of `end` that there are, and how many bytes they have. No more
/// chunks than a packet can have: what follows is a packet then, which the core does not let be.
///
/// # Safety
///
/// The pool is open, and so many descriptors have been taken from it.
#[cold]
unsafe fn measure(raw: *mut bindings::xsk_buff_pool, index: u32, end: u32) -> (u32, u32) {
    let (mut chunks, mut bytes, mut more) = (0u32, 0u32, true);
    while more && index.wrapping_add(chunks) < end && chunks < XskDesc::MAX_CHUNKS - 1 {
        let mut len = 0;
        // SAFETY: By the requirements of this function.
        unsafe {
            bindings::xsk_tx_desc(raw, index.wrapping_add(chunks), &mut len, &mut more);
        }
        chunks = chunks.wrapping_add(1);
        bytes = bytes.saturating_add(len);
    }
    (chunks, bytes)
}
