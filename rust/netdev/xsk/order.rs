// SPDX-License-Identifier: GPL-2.0

//! The order in which packets are sent, and are said to have been.
//!
//! The completion ring goes by position: it says how many packets have been sent, of those that user space wanted sent, in that
//! order. A device may be done with a later one first. Then nothing is said until it is done with the earlier ones, or
//! user space would write to what the device still reads.

use kernel::prelude::*;

/// How many bits a word has.
const BITS: u32 = u64::BITS;

/// What has been sent, and what of it the device is done with.
///
/// # Invariants
///
/// `done` has a power of two of bits, and at least [`BITS`]. `next - first` is at most as many. Set are bits of numbers from
/// `first` on, but not of `first` itself, of which there are `early`.
pub(crate) struct Order {
    done: KVec<u64>,
    /// The number of the oldest packet that the device is not done with.
    first: u32,
    /// The number of the next one to be sent.
    next: u32,
    early: u32,
}

impl Order {
    /// One with room for at least `packets` at a time. Process context. May sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` if that is more than 2^30; `ENOMEM`.
    pub(crate) fn new(packets: u32) -> Result<Self> {
        if packets > 1 << 30 {
            return Err(EINVAL);
        }
        let words = packets.max(BITS).next_power_of_two() / BITS;
        Ok(Self {
            done: KVec::from_elem(0, words as usize, GFP_KERNEL)?,
            first: 0,
            next: 0,
            early: 0,
        })
    }

    fn capacity(&self) -> u32 {
        // CAST: It was made from a number of this type.
        (self.done.len() as u32).wrapping_mul(BITS)
    }

    /// How many packets the device is not known to be done with, in order.
    #[inline]
    pub(crate) fn pending(&self) -> u32 {
        self.next.wrapping_sub(self.first)
    }

    /// How many of those before the packet `number` it is not known to be done with, in order.
    #[inline]
    pub(crate) fn pending_before(&self, number: u32) -> u32 {
        number.wrapping_sub(self.first)
    }

    /// How many more can be sent.
    #[inline]
    pub(crate) fn room(&self) -> u32 {
        self.capacity().wrapping_sub(self.pending())
    }

    /// The number of the next packet, and as many as `count` in all, if there is room for them.
    #[inline]
    pub(crate) fn send(&mut self, count: u32) -> Option<u32> {
        if self.room() < count {
            return None;
        }
        let number = self.next;
        self.next = number.wrapping_add(count);
        Some(number)
    }

    /// The device is done with the packets from `number` on, `count` of them, if they are the oldest ones, and it was not done with a
    /// later one before: all can be said to have been sent. Returns whether that is so; else they are to be [`done`](Self::done) one by
    /// one.
    #[inline]
    pub(crate) fn done_in_order(&mut self, number: u32, count: u32) -> bool {
        let is_in_order = number == self.first && self.early == 0 && count <= self.pending();
        if is_in_order {
            self.first = number.wrapping_add(count);
        }
        is_in_order
    }

    /// The device is done with the packet `number`. Returns how many more can be said to have been sent. Nothing, if the number is
    /// none that the device has.
    pub(crate) fn done(&mut self, number: u32) -> u32 {
        let position = number.wrapping_sub(self.first);
        if position >= self.pending() {
            return 0;
        }
        if position != 0 {
            self.set_early(number);
            return 0;
        }
        let mut said = 1u32;
        self.first = self.first.wrapping_add(1);
        while self.early != 0 && self.take_early() {
            said = said.wrapping_add(1);
        }
        said
    }

    /// Forgets all packets. Returns how many can be said to have been sent.
    pub(crate) fn forget(&mut self) -> u32 {
        let pending = self.pending();
        self.done.fill(0);
        self.first = self.next;
        self.early = 0;
        pending
    }

    fn bit(&mut self, number: u32) -> Option<(&mut u64, u64)> {
        let bit = number & self.capacity().wrapping_sub(1);
        let word = self.done.get_mut((bit / BITS) as usize)?;
        Some((word, 1 << (bit % BITS)))
    }

    #[cold]
    fn set_early(&mut self, number: u32) {
        let Some((word, mask)) = self.bit(number) else {
            return;
        };
        if *word & mask == 0 {
            *word |= mask;
            self.early = self.early.wrapping_add(1);
        }
    }

    /// Whether the device was done with the first packet before. Then it is the first no longer.
    #[cold]
    fn take_early(&mut self) -> bool {
        let Some((word, mask)) = self.bit(self.first) else {
            return false;
        };
        if *word & mask == 0 {
            return false;
        }
        *word &= !mask;
        self.early = self.early.wrapping_sub(1);
        self.first = self.first.wrapping_add(1);
        true
    }
}
