// SPDX-License-Identifier: GPL-2.0

//! Notifies the driver in time of what was put off.

use crate::device::Device;
use std::time::Instant;

/// Runs as long as the program does.
pub fn run(device: &Device) {
    let mut state = device.state();
    let alarm = state.world.alarm.clone();
    loop {
        let due = state.notify_due(Instant::now());
        // Nobody panics with the lock, see `Device::state`.
        state = match due {
            Some(due) => {
                let wait = due.saturating_duration_since(Instant::now());
                alarm.wait_timeout(state, wait).expect("no panic").0
            }
            None => alarm.wait(state).expect("no panic"),
        };
    }
}
