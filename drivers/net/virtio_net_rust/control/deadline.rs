// SPDX-License-Identifier: GPL-2.0

//! Until when several commands have to be done together.
//!
//! It is set where a device is resynchronised, or told all after a reset, which ends with a resync; where it is
//! asked for a number of queues that it takes; and for all requests of one `ethtool -S`. Meanwhile others may send commands
//! too, which it is not for: VLANs come with the rtnl lock, and `ethtool -S` has that of the device.

use crate::parameters;
use kernel::{
    task::Task,
    time::{
        Delta,
        Instant,
        Monotonic, //
    },
};

/// A thread, as long as it runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Thread(usize);

impl Thread {
    /// The one that asks. Process context.
    pub(super) fn current() -> Self {
        Self(Task::current_raw().addr())
    }
}

/// A point in time. It does not move, also if the module's parameter is changed meanwhile.
#[derive(Clone, Copy)]
pub(crate) struct Deadline {
    start: Instant<Monotonic>,
    /// In milliseconds.
    limit: u32,
}

impl Deadline {
    /// From now on as long as the device may take for one command
    /// ([`CONTROL_TIMEOUT`](parameters::CONTROL_TIMEOUT)).
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            limit: parameters::CONTROL_TIMEOUT.get(),
        }
    }

    /// How long it was from the beginning, in milliseconds.
    pub(super) fn limit(self) -> u32 {
        self.limit
    }

    pub(super) fn is_over(self) -> bool {
        self.has_lasted(self.limit)
    }

    /// Whether it began so many milliseconds ago.
    pub(super) fn has_lasted(self, msecs: u32) -> bool {
        self.start.elapsed() >= Delta::from_millis(msecs.into())
    }
}
