// SPDX-License-Identifier: GPL-2.0

//! Whether the device may have something else set than the driver, after a command that was not answered or
//! not sent, and when it is told again what is set.

use crate::settings::Part;
use kernel::{
    prelude::*,
    time::{
        Delta,
        Instant,
        Monotonic, //
    },
};

/// How long it is at least from one time to the next, in milliseconds. It is twice as long each time
/// that this has led no further: a device that is slow all the time is not to be kept busy by that.
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
    /// The first part of what is set that it is about.
    from: Part,
    /// Whether it is about more than what the device was told again.
    of_others: bool,
    /// How often in succession the device was told again, and left it open what it has done of the first part.
    failures: u32,
    /// When that was begun last.
    last: Option<Instant<Monotonic>>,
}

impl Doubt {
    /// There is one. If it is not about what the device is told again, it is about all.
    pub(super) fn arise(&mut self, again: bool) {
        self.exists = true;
        if !again {
            self.from = Part::default();
            self.of_others = true;
        }
    }

    /// Whether it is time to tell the device again what is set.
    pub(super) fn is_due(&self) -> bool {
        let pause = Delta::from_millis(PAUSE << self.failures.min(DOUBLED));
        self.exists && self.last.is_none_or(|last| last.elapsed() >= pause)
    }

    /// The device is told from now on, beginning with the part that is returned. What fails meanwhile is another
    /// doubt.
    pub(super) fn begin(&mut self) -> Part {
        self.exists = false;
        self.of_others = false;
        self.last = Some(Instant::now());
        core::mem::take(&mut self.from)
    }

    /// The device has been told from a part on, up to one that it has left open if there is such a one. Says whether
    /// it is known now what is set in it.
    pub(super) fn end(&mut self, began: Part, stopped: Option<Part>) -> bool {
        if let (Some(part), false) = (stopped, self.of_others) {
            self.from = part;
        }
        self.failures = if self.exists && stopped == Some(began) {
            self.failures.saturating_add(1)
        } else {
            0
        };
        !self.exists
    }
}
