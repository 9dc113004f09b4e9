// SPDX-License-Identifier: GPL-2.0

//! What user space wants sent: one packet, and what it is when it has been.

use super::{
    slots::{
        Slot,
        Slots, //
    },
    XskSource, //
};
use crate::bindings;
use dma::sg;
use kernel::prelude::*;

/// A packet that is to be sent, in memory of user space. What its descriptors said has been copied, and checked against the
/// pool.
///
/// # Invariants
///
/// The pool of `source` keeps the descriptors of its chunks, from `index` on, for the lifetime; the first is at `addr` and has `first_len`
/// bytes. If there is a slot for `number` with `pending` before it, that is nobody else's.
pub struct XskDesc<'a> {
    source: &'a XskSource,
    index: u32,
    addr: u64,
    first_len: u32,
    chunks: u32,
    len: u32,
    number: u32,
    pending: u32,
}

/// A packet that has been sent, or could not be: the number of its first chunk, how many chunks it has, and its length.
// One word, so that it is passed in a register.
pub struct XskSent(u64);

impl XskSent {
    /// How many bits a length has. Chunks are not longer than a page.
    const LEN_BITS: u32 = 24;
    /// How many bits the number of chunks has.
    const CHUNKS_BITS: u32 = 6;

    #[inline]
    fn new(number: u32, chunks: u32, len: u32) -> Self {
        let small = chunks << Self::LEN_BITS | len;
        Self(u64::from(number) << (Self::LEN_BITS + Self::CHUNKS_BITS) | u64::from(small))
    }

    /// The length of the packet, in bytes.
    #[inline]
    #[expect(clippy::len_without_is_empty)]
    pub fn len(&self) -> u32 {
        // CAST: So many bits fit.
        (self.0 & ((1 << Self::LEN_BITS) - 1)) as u32
    }

    /// How many chunks it has.
    #[inline]
    pub(super) fn chunks(&self) -> u32 {
        // CAST: So many bits fit.
        (self.0 >> Self::LEN_BITS & ((1 << Self::CHUNKS_BITS) - 1)) as u32
    }

    /// The number of its first chunk.
    #[inline]
    pub(super) fn number(&self) -> u32 {
        // CAST: It was made from a number of this type.
        (self.0 >> (Self::LEN_BITS + Self::CHUNKS_BITS)) as u32
    }

    /// In a token whose `low` lowest bits are 0, two at most.
    ///
    /// There is no memory behind it.
    #[inline]
    pub fn to_addr(&self, low: u32) -> usize {
        // CAST: An address has as many bits.
        (self.0 << low) as usize
    }

    /// What [`to_addr`](Self::to_addr) has put there.
    #[inline]
    pub fn from_addr(addr: usize, low: u32) -> Self {
        Self(addr as u64 >> low)
    }
}

impl<'a> XskDesc<'a> {
    /// How many chunks a packet can have.
    pub const MAX_CHUNKS: u32 = (1 << XskSent::CHUNKS_BITS) - 1;

    /// The packet that begins with the descriptor `index`, of `end` that have been taken. Its chunks are numbered from `number` on;
    /// `pending` have been numbered before, in a row, and are under way.
    ///
    /// # Safety
    ///
    /// So many have been taken from the pool, and no others are in the lifetime of the result. The slot of the packet, if there is one for
    /// `number` with `pending` before it, exists as long as the source, and nobody else writes to it.
    #[inline]
    pub(super) unsafe fn read(
        source: &'a XskSource,
        index: u32,
        end: u32,
        number: u32,
        pending: u32,
    ) -> Self {
        let raw = source.raw();
        let (mut addr, mut more) = (0, false);
        // SAFETY: The pool is open. The core keeps descriptors where user space cannot write to, and has checked them.
        let first_len = unsafe { bindings::xsk_tx_desc(raw, index, &mut addr, &mut more) };
        let (mut chunks, mut len) = (1, first_len);
        if more {
            // SAFETY: As above.
            let (rest, bytes) = unsafe { measure(raw, index.wrapping_add(1), end) };
            (chunks, len) = (rest.saturating_add(1), len.saturating_add(bytes));
        }
        // INVARIANT: It is a packet of the pool. The rest is the requirement of this function.
        Self {
            source,
            index,
            addr,
            first_len,
            chunks,
            len,
            number,
            pending,
        }
    }

    /// How many chunks it has.
    #[inline]
    pub(super) fn chunks(&self) -> u32 {
        self.chunks
    }

    /// The pool, the descriptor that the packet begins with, and how many bytes of it are in the first chunk.
    pub(super) fn first(&self) -> (*mut bindings::xsk_buff_pool, u32, u32) {
        (self.source.raw(), self.index, self.first_len)
    }

    /// Whether it belongs to `source`.
    #[inline]
    pub fn is_of(&self, source: &XskSource) -> bool {
        self.source.is(source)
    }

    /// Describes `zeroes` zeroes and the packet, by DMA addresses. A short one is copied.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if there are not so many zeroes, or if the table has fewer entries than that takes.
    #[inline]
    pub fn map(&self, zeroes: u32, table: &mut sg::Table) -> Result<sg::Mapped> {
        if self.is_short() && zeroes <= Slots::LEAD && table.capacity() != 0 {
            if let Some(slot) = self.slot() {
                // SAFETY: By the type invariant.
                return Ok(unsafe { self.map_copy(slot, zeroes, table) });
            }
        }
        if zeroes > XskSource::ZEROES {
            return Err(EMSGSIZE);
        }
        self.map_chunks(self.source.zeroes(), zeroes, table)
    }

    /// Describes `header` and the packet, by DMA addresses. For packets that may come with [requests](super::XskTx::takes_requests), each
    /// of which has a header of its own; as [`map`](Self::map) otherwise.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if there is no room for the header, or if the table has fewer entries than that takes.
    pub fn map_behind(&self, header: &[u8], table: &mut sg::Table) -> Result<sg::Mapped> {
        let slot = self.slot().ok_or(EMSGSIZE)?;
        if header.len() > Slots::LEAD as usize || table.capacity() == 0 {
            return Err(EMSGSIZE);
        }
        // CAST: It is short.
        let len = header.len() as u32;
        // SAFETY: By the type invariant. There is room for the header.
        unsafe {
            let dma = slot.put_header(header);
            if self.is_short() {
                return Ok(self.map_copy(slot, len, table));
            }
            self.map_chunks(dma, len, table)
        }
    }

    /// Its slot, if there is one.
    #[inline]
    fn slot(&self) -> Option<Slot> {
        self.source.slots().get(self.number, self.pending)
    }

    /// Whether it fits into a slot.
    #[inline]
    fn is_short(&self) -> bool {
        self.chunks == 1 && self.first_len <= Slots::CAPACITY
    }

    /// Copies the packet to `slot`, and describes it there, behind so many bytes of a header.
    ///
    /// # Safety
    ///
    /// It is that of this packet, which fits. There is room for the header, and in the table for an entry.
    #[inline]
    unsafe fn map_copy(&self, slot: Slot, header: u32, table: &mut sg::Table) -> sg::Mapped {
        let list = table.as_mut_ptr();
        // SAFETY: By the requirements of this function, and the type invariant.
        unsafe {
            let to = slot.data.as_ptr().cast();
            bindings::xsk_tx_copy(self.source.raw(), self.addr, self.first_len, to);
            bindings::sg_start(list, 1);
            bindings::sg_set_dma(
                list,
                slot.dma.wrapping_sub(header.into()),
                header.wrapping_add(self.first_len),
            );
            sg::Mapped::new(1)
        }
    }

    /// Describes the packet where it is, and its header, which the device finds elsewhere.
    #[inline]
    fn map_chunks(&self, header: u64, len: u32, table: &mut sg::Table) -> Result<sg::Mapped> {
        if table.capacity() <= self.chunks as usize {
            return Err(EMSGSIZE);
        }
        let (list, raw) = (table.as_mut_ptr(), self.source.raw());
        // SAFETY: The table has an entry for each chunk and one more, which are two at least. The chunks are as the type invariant says.
        unsafe {
            let dma = bindings::xsk_tx_dma(raw, self.addr, self.first_len);
            if self.chunks == 1 {
                bindings::sg_start_two(list);
            } else {
                start_long(list, self.chunks, raw, self.index.wrapping_add(1));
            }
            bindings::sg_set_dma(list, header, len);
            bindings::sg_set_dma(list.add(1), dma, self.first_len);
            Ok(sg::Mapped::new(self.chunks.wrapping_add(1)))
        }
    }

    /// What it is when it has been sent.
    #[inline]
    pub fn into_sent(self) -> XskSent {
        XskSent::new(self.number, self.chunks, self.len)
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
            let (mut addr, mut more) = (0, false);
            let len = bindings::xsk_tx_desc(raw, next.wrapping_add(index), &mut addr, &mut more);
            let dma = bindings::xsk_tx_dma(raw, addr, len);
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
    let (mut chunks, mut bytes, mut addr, mut more) = (0u32, 0u32, 0, true);
    while more && index.wrapping_add(chunks) < end && chunks < XskDesc::MAX_CHUNKS - 1 {
        // SAFETY: By the requirements of this function.
        let len =
            unsafe { bindings::xsk_tx_desc(raw, index.wrapping_add(chunks), &mut addr, &mut more) };
        chunks = chunks.wrapping_add(1);
        bytes = bytes.saturating_add(len);
    }
    (chunks, bytes)
}
