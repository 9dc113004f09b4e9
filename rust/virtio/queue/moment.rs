// SPDX-License-Identifier: GPL-2.0

//! When something happened last.

use crate::bindings;
use core::sync::atomic::{
    AtomicU64,
    Ordering::Relaxed, //
};

/// When something happened last, to a tick of the kernel (`jiffies`).
///
/// Noting it costs a load and a store, so that whoever has a queue, or its interrupt, can do it each time. There is one
/// writer at a time, and any number of readers.
#[derive(Default)]
pub struct Moment(
    /// 0 if never.
    AtomicU64,
);

impl Moment {
    /// It happens now. Any context.
    #[inline]
    pub fn set(&self) {
        self.0.store(now(), Relaxed);
    }

    /// It happened when `other` did. Any context.
    pub fn copy(&self, other: &Self) {
        self.0.store(other.0.load(Relaxed), Relaxed);
    }

    /// How long ago it happened, in milliseconds; `None` if it has not. Any context.
    pub fn elapsed_ms(&self) -> Option<u64> {
        let then = self.0.load(Relaxed);
        // SAFETY: The function only computes.
        (then != 0).then(|| unsafe { bindings::jiffies64_to_msecs(now().saturating_sub(then)) })
    }
}

#[inline]
fn now() -> u64 {
    // CAST: It is of 64 bits wherever the kernel has Rust.
    // SAFETY: The variable is valid for reads, and is written as a whole.
    unsafe { core::ptr::addr_of!(bindings::jiffies).read_volatile() as u64 }
}
