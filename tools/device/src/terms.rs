// SPDX-License-Identifier: GPL-2.0

//! What the driver and the device have agreed on.

use crate::{features, filter::Address, space::Space};

/// What they have agreed on.
#[derive(Default)]
pub struct Terms {
    /// The features that the driver has accepted.
    pub accepted: u128,
    /// How many pairs of queues there are.
    pub pairs: u16,
    /// What the device says of itself.
    pub space: Space,
}

impl Terms {
    /// Whether the driver has accepted a feature.
    pub fn has(&self, feature: u32) -> bool {
        features::has(self.accepted, feature)
    }

    /// The address that the driver has from the configuration space, if it looks for one there.
    pub fn address(&self) -> Option<Address> {
        self.has(features::MAC).then(|| Address(self.space.mac()))
    }

    /// Whether it has accepted one of several.
    pub fn has_any(&self, several: &[u32]) -> bool {
        features::has_any(self.accepted, several)
    }
}
