// SPDX-License-Identifier: GPL-2.0

//! Whether the device may have something else set than the driver, after a command that was not answered or
//! not sent, and when it is told again what is set.

use kernel::{
    prelude::*,
    time::{
        Delta,
        Instant,
        Monotonic, //
    },
};

/// How long it is at least from one time to the next, in milliseconds. It is twice as long each time
/// that this has not helped: a device that is slow all the time is not to be kept busy by that.
const PAUSE: i64 = 1000;

/// How often it becomes twice as long: up to about a minute.
const DOUBLED: u32 = 6;

/// Whether the device may or may not have done what it was told by a command that has ended like that.
pub(crate) fn is_open<T>(told: &Result<T>) -> bool {
    matches!(*told, Err(ETIMEDOUT | EIO))
}

/// Nobody doubts at first.
#[derive(Default)]
pub(super) struct Doubt {
    /// Whether there is one.
    pub(super) exists: bool,
    /// How often in succession the device was told again, and left it open what it has done.
    failures: u32,
    /// When that was begun last.
    last: Option<Instant<Monotonic>>,
}

impl Doubt {
    /// Whether it is time to tell the device again what is set.
    pub(super) fn is_due(&self) -> bool {
        let pause = Delta::from_millis(PAUSE << self.failures.min(DOUBLED));
        self.exists && self.last.is_none_or(|last| last.elapsed() >= pause)
    }

    /// The device is told from now on. What fails meanwhile is another doubt.
    pub(super) fn begin(&mut self) {
        self.exists = false;
        self.last = Some(Instant::now());
    }

    /// The device has been told. Says whether it is known now what is set in it.
    pub(super) fn end(&mut self) -> bool {
        self.failures = if self.exists {
            self.failures.saturating_add(1)
        } else {
            0
        };
        !self.exists
    }
}
