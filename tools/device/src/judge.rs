// SPDX-License-Identifier: GPL-2.0

//! What the driver must not do, and has done.

mod commands;
pub mod gso;
mod hashes;
mod packets;
mod statistics;
#[cfg(test)]
mod tests;

use serde::Serialize;

/// So many are kept; one is enough to fail a test.
const MOST: usize = 100;

/// A rule that the driver has broken.
#[derive(Debug, Serialize)]
pub struct Violation {
    /// The section of virtio 1.3 that has the rule.
    pub section: &'static str,
    what: String,
}

/// All that the driver has done wrong.
#[derive(Default)]
pub struct Judge {
    found: Vec<Violation>,
}

impl Violation {
    /// A violation of a rule in `section` of virtio 1.3.
    pub fn new(section: &'static str, what: impl Into<String>) -> Self {
        Self {
            section,
            what: what.into(),
        }
    }
}

impl Judge {
    /// Keeps a violation.
    pub fn record(&mut self, violation: Violation) {
        if self.found.len() < MOST {
            self.found.push(violation);
        }
    }

    /// Keeps one unless the rule holds.
    pub fn check(&mut self, holds: bool, section: &'static str, what: impl FnOnce() -> String) {
        if !holds {
            self.record(Violation::new(section, what()));
        }
    }

    /// The violations since the last call.
    pub fn take(&mut self) -> Vec<Violation> {
        std::mem::take(&mut self.found)
    }
}
