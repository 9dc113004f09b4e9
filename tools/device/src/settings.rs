// SPDX-License-Identifier: GPL-2.0

//! What the device is.

use crate::{hex, pci::QUEUE_SIZE, space::Space};
use serde::Deserialize;

/// Given on the command line.
#[derive(Deserialize)]
pub struct Settings {
    /// The numbers of the features that are offered.
    features: Vec<u32>,
    /// How many pairs of a receive and a transmit queue there are, before the control queue.
    pub pairs: u16,
    /// The configuration space (virtio 1.3, section 5.1.4).
    #[serde(deserialize_with = "hex::deserialize")]
    config: Vec<u8>,
    /// How long it is as the PCI function says, if not as long as its registers.
    pub config_length: Option<u32>,
    /// How many descriptors a ring has at most, if not [`QUEUE_SIZE`].
    queue_size: Option<u16>,
}

impl Settings {
    /// The features as a mask.
    pub fn features(&self) -> u128 {
        self.features.iter().fold(0, |mask, bit| mask | (1 << bit))
    }

    /// What the device says of itself at first.
    pub fn space(&self) -> Space {
        Space::new(self.config.clone())
    }

    /// How many descriptors a ring of the device's own PCI function has at most.
    pub fn queue_size(&self) -> u16 {
        self.queue_size.unwrap_or(QUEUE_SIZE)
    }

    /// How many queues there are.
    pub fn queues(&self) -> usize {
        2 * usize::from(self.pairs) + 1
    }
}
