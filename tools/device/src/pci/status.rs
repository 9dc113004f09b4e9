// SPDX-License-Identifier: GPL-2.0

//! The device status, and the order in which a driver goes through it (virtio 1.3, sections 2.1 and 3.1.1).

use super::Effect;
use crate::judge::Judge;

const ACKNOWLEDGE: u8 = 1;
const DRIVER: u8 = 2;
const DRIVER_OK: u8 = 4;
const FEATURES_OK: u8 = 8;
const NEEDS_RESET: u8 = 0x40;
/// What comes before what.
const STEPS: [u8; 4] = [ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK];

/// The status, and what of it the driver knows.
#[derive(Default)]
pub struct Status {
    bits: u8,
    /// Whether the driver has read what it has written.
    is_read: bool,
    /// Whether the driver has reset the device before.
    was_reset: bool,
    /// Whether the device can do no more, and says so when the driver has seen that it is reset.
    is_broken: bool,
}

impl Status {
    /// As the driver reads it.
    pub fn read(&mut self) -> u8 {
        self.is_read = true;
        let bits = self.bits;
        if std::mem::take(&mut self.is_broken) {
            self.bits |= NEEDS_RESET;
        }
        bits
    }

    /// What it is.
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// Whether `FEATURES_OK` is set.
    pub fn has_features_ok(&self) -> bool {
        self.bits & FEATURES_OK != 0
    }

    /// Whether the driver uses the device.
    pub fn is_ready(&self) -> bool {
        self.bits & DRIVER_OK != 0 && self.bits & NEEDS_RESET == 0
    }

    /// Whether there is a driver, even of a device that can do no more.
    pub fn has_driver(&self) -> bool {
        self.bits & DRIVER_OK != 0
    }

    /// Sets the bit that says so. Returns whether the driver is to be told.
    ///
    /// A driver that has asked for a reset waits until it reads zeroes (section 4.1.4.3.2), and Linux does so without an end: a
    /// device that broke before would not come out of its reset.
    pub fn need_reset(&mut self) -> bool {
        if self.was_reset && !self.is_read && self.bits == 0 {
            self.is_broken = true;
            return false;
        }
        self.bits |= NEEDS_RESET;
        self.bits & DRIVER_OK != 0
    }

    /// The function is reset.
    pub fn reset(&mut self) {
        *self = Self {
            was_reset: true,
            ..Self::default()
        };
    }

    /// The driver writes it.
    pub fn write(&mut self, bits: u8, judge: &mut Judge) -> Option<Effect> {
        let before = self.bits;
        let fresh = bits & !before;
        let mut rule = |holds, section, what: &str| {
            judge.check(holds, section, || {
                format!("status {before:#x}, then {bits:#x}: {what}")
            });
        };
        if bits == 0 {
            return Some(Effect::Reset);
        }
        // The device may have set its bit after the driver read the others.
        let cleared = before & !bits & !NEEDS_RESET;
        rule(cleared == 0, "2.1.1", "bits are cleared");
        rule(fresh & NEEDS_RESET == 0, "2.1", "a bit of the device's");
        let after_reset = before != 0 || !self.was_reset || self.is_read;
        rule(after_reset, "4.1.4.3.2", "the reset was not waited for");
        for (number, step) in STEPS
            .iter()
            .enumerate()
            .filter(|(_, step)| fresh & **step != 0)
        {
            let earlier = STEPS[..number].iter().all(|one| before & one != 0);
            rule(earlier, "3.1.1", "a step comes before another");
            if *step == DRIVER_OK {
                rule(self.is_read, "3.1.1", "FEATURES_OK was not read again");
            }
        }
        self.bits |= bits;
        self.is_read = false;
        if fresh & DRIVER_OK != 0 {
            Some(Effect::Driver)
        } else if fresh & FEATURES_OK != 0 {
            Some(Effect::Features)
        } else {
            None
        }
    }
}
