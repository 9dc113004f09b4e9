// SPDX-License-Identifier: GPL-2.0

//! Statistics: 64-bit counters of one queue, and what `ndo_get_stats64` reports.

use crate::bindings;
use core::sync::atomic::{
    AtomicU64,
    Ordering::Relaxed, //
};

/// A 64-bit counter with one writer at a time and any number of readers.
///
/// Adding is a plain load and store: no atomic operation. If two contexts add at the same time one
/// of the additions can be lost, so whoever adds has exclusive access to the queue.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`, wrapping around.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// The value.
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Receive counters, as `struct rtnl_link_stats64` has them.
#[derive(Default)]
pub struct RxTotals {
    /// Good packets.
    pub packets: u64,
    /// Bytes of good packets, without what the device puts before them.
    pub bytes: u64,
    /// Packets that were dropped for want of memory.
    pub dropped: u64,
    /// Packets of a length that cannot be.
    pub length_errors: u64,
    /// Packets with a header that cannot be.
    pub frame_errors: u64,
}

/// Transmit counters, as `struct rtnl_link_stats64` has them.
#[derive(Default)]
pub struct TxTotals {
    /// Packets that the device has taken.
    pub packets: u64,
    /// Bytes of these packets.
    pub bytes: u64,
    /// Packets that were not handed to the device.
    pub dropped: u64,
    /// Packets that were not handed to the device because the queue did not take them.
    pub fifo_errors: u64,
}

/// What `ndo_get_stats64` fills in.
#[repr(transparent)]
pub struct LinkStats(bindings::rtnl_link_stats64);

impl LinkStats {
    /// # Safety
    ///
    /// `raw` is valid for reads and writes for the lifetime `'a`, and nothing else uses it.
    pub(crate) unsafe fn from_raw<'a>(raw: *mut bindings::rtnl_link_stats64) -> &'a mut Self {
        // SAFETY: By the requirement of this function; the type is transparent.
        unsafe { &mut *raw.cast() }
    }

    /// Adds the counters of a receive queue. The errors count into `rx_errors` as well.
    pub fn add_rx(&mut self, rx: &RxTotals) {
        let s = &mut self.0;
        s.rx_packets = s.rx_packets.wrapping_add(rx.packets);
        s.rx_bytes = s.rx_bytes.wrapping_add(rx.bytes);
        s.rx_dropped = s.rx_dropped.wrapping_add(rx.dropped);
        s.rx_length_errors = s.rx_length_errors.wrapping_add(rx.length_errors);
        s.rx_frame_errors = s.rx_frame_errors.wrapping_add(rx.frame_errors);
        s.rx_errors = s
            .rx_errors
            .wrapping_add(rx.length_errors)
            .wrapping_add(rx.frame_errors);
    }

    /// Adds the counters of a transmit queue.
    pub fn add_tx(&mut self, tx: &TxTotals) {
        let s = &mut self.0;
        s.tx_packets = s.tx_packets.wrapping_add(tx.packets);
        s.tx_bytes = s.tx_bytes.wrapping_add(tx.bytes);
        s.tx_dropped = s.tx_dropped.wrapping_add(tx.dropped);
        s.tx_fifo_errors = s.tx_fifo_errors.wrapping_add(tx.fifo_errors);
    }
}
