// SPDX-License-Identifier: GPL-2.0

//! What the driver must keep to when it says what is hashed and where that leads to (virtio 1.3,
//! sections 5.1.6.5.6.4 and 5.1.6.5.7.1).

use crate::{
    rss::{self, Hashing},
    terms::Terms,
};

const MALFORMED: &str = "it is malformed";

/// What is wrong with types and key.
fn of_hashing(hashing: &Hashing, terms: &Terms) -> Vec<String> {
    let mut wrong = Vec::new();
    let unknown = hashing.types & !terms.space.hash_types();
    if unknown != 0 {
        wrong.push(format!("hash types {unknown:#x}, which the device has not"));
    }
    let (length, most) = (hashing.key.len(), terms.space.most_key());
    if length > most.into() {
        wrong.push(format!("a key of {length} bytes, {most} at most"));
    }
    if hashing.behind != 0 {
        wrong.push(format!("{} bytes behind the key", hashing.behind));
    }
    wrong
}

/// What is wrong with what follows `VIRTIO_NET_CTRL_MQ_HASH_CONFIG`.
pub fn of_hash_config(body: &[u8], terms: &Terms) -> Vec<String> {
    let Some((hashing, reserved)) = rss::read_hashing(body) else {
        return vec![MALFORMED.into()];
    };
    let mut wrong = of_hashing(&hashing, terms);
    if reserved.iter().any(|byte| *byte != 0) {
        wrong.push("reserved bytes that are not 0".into());
    }
    wrong
}

/// What is wrong with what follows `VIRTIO_NET_CTRL_MQ_RSS_CONFIG`.
pub fn of_rss_config(body: &[u8], terms: &Terms) -> Vec<String> {
    let Some((hashing, table)) = rss::read_table(body) else {
        return vec![MALFORMED.into()];
    };
    let mut wrong = of_hashing(&hashing, terms);
    let (length, most) = (table.entries.len(), terms.space.most_entries());
    if !length.is_power_of_two() || length > most.into() {
        wrong.push(format!("a table of {length} entries, {most} at most"));
    }
    let mut queues = table.entries.iter().chain([&table.unclassified]);
    if let Some(queue) = queues.find(|queue| **queue >= terms.pairs) {
        wrong.push(format!("receive queue {queue}, of {}", terms.pairs));
    }
    if !(1..=terms.pairs).contains(&table.pairs) {
        let what = format!("{} queues to send with, of {}", table.pairs, terms.pairs);
        wrong.push(what);
    }
    wrong
}
