// SPDX-License-Identifier: GPL-2.0

//! Memory that short packets are sent from.
//!
//! A packet of user space has no header, and nobody but user space may write in front of it. With a header somewhere else it takes two
//! descriptors, and perhaps a table of them: that costs more than to copy a short packet behind a header.
//!
//! Where packets come with requests, a header says what is requested, so each packet has one of its own: in its slot, wherever the
//! packet is.

use crate::bindings;
use core::ptr::{
    null_mut,
    NonNull, //
};
use dma::DmaDevice;

/// One slot for each of so many packets in a row.
///
/// # Invariants
///
/// Either `count` is 0, or it is a power of two, and there are so many slots at `start` for the CPU and at `dma` for the device, as long as
/// they are not [freed](Self::free). Nobody else has them, but copies of this value.
#[derive(Clone, Copy)]
pub(super) struct Slots {
    start: *mut u8,
    dma: u64,
    count: u32,
}

// SAFETY: They are plain memory.
unsafe impl Send for Slots {}
// SAFETY: As above. Who writes to a slot is said by `write`.
unsafe impl Sync for Slots {}

/// The place of a packet.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    /// Where its data begins, for the CPU; in front of it there is room for a header of [`Slots::LEAD`] bytes.
    pub(super) data: NonNull<u8>,
    /// The same, for the device.
    pub(super) dma: u64,
}

impl Slot {
    /// Writes `header` right in front of the data. Returns where it begins, for the device.
    ///
    /// # Safety
    ///
    /// The slot exists, and nobody else writes to it. The header has [`Slots::LEAD`] bytes at most.
    pub(super) unsafe fn put_header(&self, header: &[u8]) -> u64 {
        // SAFETY: By the requirements of this function there is room for it.
        unsafe {
            let place = self.data.as_ptr().sub(header.len());
            place.copy_from_nonoverlapping(header.as_ptr(), header.len());
        }
        self.dma.wrapping_sub(header.len() as u64)
    }
}

impl Slots {
    /// How long a slot is, in bytes.
    const SIZE: u32 = 256;
    /// How much of it is in front of the data, in bytes: zeroes, unless a [header](Slot::put_header) has been put there.
    pub(super) const LEAD: u32 = 32;
    /// How much data there can be, in bytes.
    pub(super) const CAPACITY: u32 = Self::SIZE - Self::LEAD;
    /// How many slots there are at most.
    const MAX: u32 = 4096;

    /// At least as many as `packets`, but no more than there can be. None at all if there is no memory that fits: it is not needed. Process
    /// context. May sleep.
    pub(super) fn new(device: &DmaDevice<'_>, packets: u32) -> Self {
        let count = packets.clamp(1, Self::MAX).next_power_of_two();
        let (len, mut dma) = (Self::bytes(count), 0);
        // SAFETY: The device is valid, as it is borrowed, and one that memory may be mapped for.
        let start = unsafe {
            bindings::xsk_slots_alloc(device.as_raw(), device.is_direct(), len, &mut dma)
        };
        if start.is_null() {
            return Self {
                start: null_mut(),
                dma: 0,
                count: 0,
            };
        }
        // INVARIANT: They are new.
        Self {
            start: start.cast(),
            dma,
            count,
        }
    }

    /// How long so many slots are, in bytes.
    fn bytes(count: u32) -> usize {
        (count as usize).wrapping_mul(Self::SIZE as usize)
    }

    /// How many slots there are.
    #[inline]
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// The slot of the packet `number`, of which the device has `pending` that were numbered before, in a row. None if it may be the slot
    /// of one of those.
    #[inline]
    pub(super) fn get(&self, number: u32, pending: u32) -> Option<Slot> {
        if pending >= self.count {
            return None;
        }
        let index = number & self.count.wrapping_sub(1);
        let offset = index.wrapping_mul(Self::SIZE).wrapping_add(Self::LEAD);
        Some(Slot {
            // SAFETY: By the type invariant there is such a slot, so the result is not null.
            data: unsafe { NonNull::new_unchecked(self.start.wrapping_add(offset as usize)) },
            dma: self.dma.wrapping_add(offset.into()),
        })
    }

    /// Frees them. Process context.
    ///
    /// # Safety
    ///
    /// They were made for `device`, which is valid, and are not used any more.
    pub(super) unsafe fn free(self, device: NonNull<bindings::device>) {
        if self.count != 0 {
            // SAFETY: By the type invariant, and the requirement of this function.
            unsafe {
                bindings::xsk_slots_free(
                    device.as_ptr(),
                    Self::bytes(self.count),
                    self.start.cast(),
                    self.dma,
                );
            }
        }
    }
}
