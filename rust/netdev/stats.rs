// SPDX-License-Identifier: GPL-2.0

//! Statistics: 64-bit counters of one queue, and what the stack wants to know of them.

mod device;
mod link;
mod queue;

pub use self::device::{
    DeviceCounters,
    DeviceValues,
    RxReported,
    TxReported, //
};
pub use self::queue::DeviceReports;
pub(crate) use self::{
    link::LinkStats,
    queue::QueueStatOps, //
};

use core::sync::atomic::{
    AtomicU32,
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

/// A number of 32 bits with one writer at a time and any number of readers, for whom it is enough to
/// see one that was true of late.
#[derive(Default)]
pub struct Gauge(AtomicU32);

impl Gauge {
    /// Changes the value: a plain store.
    #[inline]
    pub fn set(&self, value: u32) {
        self.0.store(value, Relaxed);
    }

    /// The value.
    #[inline]
    pub fn get(&self) -> u32 {
        self.0.load(Relaxed)
    }
}

/// A counter of a queue, or of the device, that `ethtool -S` shows.
pub struct Named<S: 'static> {
    /// Its name, which follows that of the queue, as in `rx0_drops`.
    pub name: &'static str,
    /// Its value.
    pub value: fn(&S) -> u64,
}

/// What the stack wants to know of a receive queue.
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
    /// How often there was no memory for a receive buffer.
    pub alloc_fail: u64,
}

/// What the stack wants to know of a transmit queue.
#[derive(Default)]
pub struct TxTotals {
    /// Packets that the device has taken.
    pub packets: u64,
    /// Bytes of these packets.
    pub bytes: u64,
    /// How often the queue was found stuck.
    pub errors: u64,
    /// Packets that were not handed to the device, or taken back from it.
    pub dropped: u64,
    /// Packets that were not handed to the device because the queue did not take them.
    pub fifo_errors: u64,
    /// How often the stack was told to send nothing for a while.
    pub stop: u64,
    /// How often the stack was told to go on.
    pub wake: u64,
}
