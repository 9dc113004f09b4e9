// SPDX-License-Identifier: GPL-2.0

//! The registers of the device that are the same on each transport (virtio 1.3, section 4.1.4.3), for `ethtool -d`.

use crate::VirtioNet;
use kernel::net::{
    self,
    Device, //
};

impl net::Registers for VirtioNet {
    const VERSION: u32 = 1;

    /// The status, or all ones; the features that have been negotiated, from the lowest; how many pairs of queues there are, how many of
    /// them are used, and the sizes of their rings: receive, transmit.
    const WORDS: u16 = 9;

    fn registers(device: &Device<Self>, words: &mut [u32]) {
        let shared = device.shared();
        let [low, high] = shared.device.features();
        let sizes = shared.rings.sizes();
        // CAST: Halves of a word.
        let halves = |word: u64| [word as u32, (word >> 32) as u32];
        let [first, second] = halves(low);
        let [third, fourth] = halves(high);
        let all = [
            shared.device.status().unwrap_or(u32::MAX),
            first,
            second,
            third,
            fourth,
            device.max_queues().into(),
            device.num_queues().into(),
            sizes.rx,
            sizes.tx,
        ];
        for (to, from) in words.iter_mut().zip(all) {
            *to = from;
        }
    }
}
