// SPDX-License-Identifier: GPL-2.0

//! The average length of received packets.

/// The weight of a new packet is one in this many, as a power of two.
const WEIGHT_BITS: u32 = 6;

/// An exponentially weighted moving average of packet lengths.
///
/// C name: `struct ewma_pkt_len`.
pub(super) struct Average(u32);

impl Average {
    /// An average that starts with `len` bytes.
    pub(super) fn starting_with(len: u32) -> Self {
        Self(len)
    }

    /// Adds a packet of `len` bytes.
    #[inline]
    pub(super) fn add(&mut self, len: u32) {
        // The average is at most the longest packet, so the sum does not overflow below 64 MiB.
        let sum = (self.0 << WEIGHT_BITS)
            .wrapping_sub(self.0)
            .wrapping_add(len);
        self.0 = sum >> WEIGHT_BITS;
    }

    /// The average, in bytes.
    #[inline]
    pub(super) fn bytes(&self) -> u32 {
        self.0
    }
}
