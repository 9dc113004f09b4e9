// SPDX-License-Identifier: GPL-2.0

//! Answers about statistics (virtio 1.3, section 5.1.6.5.10): what is true, or what a test has put there.

use crate::count::Counts;
use std::collections::HashMap;

/// `VIRTIO_NET_CTRL_STATS` and `VIRTIO_NET_CTRL_STATS_QUERY`.
pub const QUERY: (u8, u8) = (8, 0);
/// The same and `VIRTIO_NET_CTRL_STATS_GET`.
pub const GET: (u8, u8) = (8, 1);

/// The length of what is asked for of a virtqueue: its number, 6 reserved bytes, the set of types.
const ASKED: usize = 16;

/// What a test has put there: statistics with their headers, by the number of their virtqueue and of their type. If
/// there are none, what is counted is answered.
#[derive(Default)]
pub struct Stats(HashMap<(u16, u8), Vec<u8>>);

impl Stats {
    /// Puts one there. The header says which it is.
    pub fn put(&mut self, entry: Vec<u8>) {
        if let [kind, _, low, high, ..] = entry[..] {
            self.0
                .insert((u16::from_le_bytes([low, high]), kind), entry);
        }
    }

    /// What is answered to a request, in its order.
    pub fn answer(&self, request: &[u8], counts: &Counts) -> Vec<u8> {
        let mut answer = Vec::new();
        for asked in request.chunks_exact(ASKED) {
            let queue = u16::from_le_bytes([asked[0], asked[1]]);
            let types = (0..64).filter(|kind| (asked[8 + kind / 8] >> (kind % 8)) & 1 == 1);
            for entry in types.filter_map(|kind| self.entry(queue, kind as u8, counts)) {
                answer.extend_from_slice(&entry);
            }
        }
        answer
    }

    fn entry(&self, queue: u16, kind: u8, counts: &Counts) -> Option<Vec<u8>> {
        if self.0.is_empty() {
            counts.entry(queue, kind)
        } else {
            self.0.get(&(queue, kind)).cloned()
        }
    }
}
