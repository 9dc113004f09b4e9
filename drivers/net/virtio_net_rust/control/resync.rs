// SPDX-License-Identifier: GPL-2.0

//! Whether the device may have something else set than the driver, after a command that was not answered or
//! not sent, and when it is resynchronised: when all that is set is sent to it again.
//!
//! A command that has ended with `ETIMEDOUT` or `EIO` counts as failed, so what was set before is shown; but the
//! device may have done it. So the service looks once a second whether the device has answered, and then sends it
//! again all that is set. That is done in parts of a few commands, each with the locks held anew, so that what is
//! sent is what holds, and so that others get the locks between two parts: with 1024 pairs of queues it is two
//! thousand commands. Of a VLAN that it may have although nobody wants it, it is told to forget it. What it refuses
//! is in the log, and stays so until it is set the next time.
//!
//! All of it together has as long as a single command has: the last command gets what is left of that, and no more
//! are sent then. The next time goes on with the part that was left open, or begins anew if something else has been
//! left open meanwhile, so that the device never stays with what nobody has set. The pause between two times
//! doubles from a second to a minute as long as this leads no further.

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
const MAX_DOUBLED: u32 = 6;

/// Whether the device may or may not have done a command that has ended like that.
pub(crate) fn outcome_unknown<T>(result: &Result<T>) -> bool {
    matches!(*result, Err(ETIMEDOUT | EIO))
}

/// Resynchronising the device. It need not be at first.
#[derive(Default)]
pub(super) struct Resync {
    /// Whether it has to be.
    pub(super) pending: bool,
    /// The first part of what is set that may differ.
    from: Part,
    /// Whether it has been requested for other commands than those that are sent again.
    by_others: bool,
    /// How often in succession a resync has left the outcome of its first part unknown.
    failures: u32,
    /// When one was begun last.
    last: Option<Instant<Monotonic>>,
}

impl Resync {
    /// Requests one, since the outcome of a command is unknown: of all that is set, unless the command has been
    /// `resent`.
    pub(super) fn request(&mut self, resent: bool) {
        self.pending = true;
        if !resent {
            self.from = Part::default();
            self.by_others = true;
        }
    }

    /// Whether it is time for one that is pending.
    pub(super) fn is_due(&self) -> bool {
        let pause = Delta::from_millis(PAUSE << self.failures.min(MAX_DOUBLED));
        self.pending && self.last.is_none_or(|last| last.elapsed() >= pause)
    }

    /// Begins one, with the part that is returned. What fails meanwhile requests another.
    pub(super) fn begin(&mut self) -> Part {
        self.pending = false;
        self.by_others = false;
        self.last = Some(Instant::now());
        core::mem::take(&mut self.from)
    }

    /// Ends one that `began` with a part, and has stopped at one whose outcome is unknown if there is such a one.
    /// Returns whether it is known now what is set in the device.
    pub(super) fn end(&mut self, began: Part, stopped: Option<Part>) -> bool {
        if let (Some(part), false) = (stopped, self.by_others) {
            self.from = part;
        }
        self.failures = if self.pending && stopped == Some(began) {
            self.failures.saturating_add(1)
        } else {
            0
        };
        !self.pending
    }
}
