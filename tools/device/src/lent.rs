// SPDX-License-Identifier: GPL-2.0

//! What the device has of the driver's at the moment.

use crate::{
    chain::{Chain, Part},
    judge::{Judge, Violation},
};
use std::collections::{HashMap, HashSet};

/// All chains of all queues that the device has not given back.
#[derive(Default)]
pub struct Lent {
    /// By queue and id.
    chains: HashMap<(usize, u16), Vec<Part>>,
    /// Queues in which the driver was told something else than what is true, so that nobody knows
    /// who has what.
    unknown: HashSet<usize>,
}

fn overlap(one: &Part, other: &Part) -> bool {
    let end = |part: &Part| part.start.0.saturating_add(part.len.into());
    (one.writable || other.writable) && one.start.0 < end(other) && other.start.0 < end(one)
}

impl Lent {
    /// The driver lends a chain in a queue. Nothing that the device may write to is lent twice.
    pub fn lend(&mut self, queue: usize, chain: &Chain, judge: &mut Judge) {
        if self.unknown.contains(&queue) {
            return;
        }
        for ((of, id), parts) in &self.chains {
            let pairs = parts
                .iter()
                .flat_map(|one| chain.parts.iter().map(move |two| (one, two)));
            if let Some((one, _)) = pairs.into_iter().find(|(one, two)| overlap(one, two)) {
                judge.record(Violation::new(
                    "2.7.13",
                    format!(
                        "chain {} of queue {queue} has memory at {:#x} that chain {id} of queue {of} has",
                        chain.id, one.start.0
                    ),
                ));
                break;
            }
        }
        let before = self.chains.insert((queue, chain.id), chain.parts.clone());
        judge.check(before.is_none(), "2.7.13", || {
            format!(
                "chain {} of queue {queue} is lent while the device has it",
                chain.id
            )
        });
    }

    /// The device gives a chain back.
    pub fn give_back(&mut self, queue: usize, id: u16) {
        self.chains.remove(&(queue, id));
    }

    /// Whether the device has a chain.
    pub fn has(&self, queue: usize, id: u16) -> bool {
        self.chains.contains_key(&(queue, id))
    }

    /// How many chains of a queue the device has.
    pub fn count(&self, queue: usize) -> usize {
        self.chains.keys().filter(|(of, _)| *of == queue).count()
    }

    /// From now on nobody knows what the driver takes to be lent in a queue.
    pub fn lose_track(&mut self, queue: usize) {
        self.unknown.insert(queue);
        self.chains.retain(|(of, _), _| *of != queue);
    }

    /// The driver has reset a queue.
    pub fn forget(&mut self, queue: usize) {
        self.unknown.remove(&queue);
        self.chains.retain(|(of, _), _| *of != queue);
    }
}
