// SPDX-License-Identifier: GPL-2.0

//! The device, by whatever way QEMU has it.

use crate::{settings::Settings, state::State};
use std::{
    fs::File,
    sync::{Mutex, MutexGuard},
};

/// The device.
pub struct Device {
    /// What it is.
    pub settings: Settings,
    /// Where packets go to and come from.
    pub tap: File,
    state: Mutex<State>,
}

impl Device {
    /// A device that nobody uses yet.
    pub fn new(settings: Settings, tap: File) -> Self {
        Self {
            state: Mutex::new(State::new(settings.pairs, settings.space())),
            settings,
            tap,
        }
    }

    /// The number of the event that the TAP has a packet. Those up to that of the queues, and one
    /// more, are taken.
    pub fn tap_event(&self) -> u64 {
        self.settings.queues() as u64 + 1
    }

    /// For the time of one event or order.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("whoever had the lock has ended the program")
    }
}
