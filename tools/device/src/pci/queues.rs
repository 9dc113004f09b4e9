// SPDX-License-Identifier: GPL-2.0

//! The registers of the queues (virtio 1.3, section 4.1.4.3).

use super::{vectors, Effect};
use crate::judge::Judge;

/// Where they are among the common ones.
const SIZE: usize = 24;
const VECTOR: usize = 26;
const ENABLE: usize = 28;
const ADDRESSES: usize = 32;
const RESET: usize = 58;

const SECTION: &str = "4.1.4.3.2";

/// Those of one queue.
#[derive(Clone)]
struct Registers {
    size: u16,
    vector: u16,
    is_enabled: bool,
    /// How often it is said that the queue is being reset before it has been.
    reads: Option<u32>,
    /// Whether the driver has yet to see that it has been.
    is_unseen: bool,
    /// Of the descriptors, of what the driver writes, and of what the device does.
    addresses: [u64; 3],
}

/// What counts for all of them.
pub struct Terms {
    /// Whether `FEATURES_OK` is set.
    pub has_features_ok: bool,
    /// Whether single queues can be reset.
    pub has_reset: bool,
    /// How often it is said that a queue is being reset before it has been.
    pub reset_reads: u32,
    /// How many interrupts there are.
    pub vectors: u16,
}

/// Those of all queues.
pub struct Queues {
    all: Vec<Registers>,
    selected: u16,
    /// What each is after a reset.
    initial: Registers,
}

impl Queues {
    /// Of so many queues, and as many descriptors in a ring at most.
    pub fn new(count: usize, size: u16) -> Self {
        let initial = Registers {
            size,
            vector: vectors::NONE,
            is_enabled: false,
            reads: None,
            is_unseen: false,
            addresses: [0; 3],
        };
        Self {
            all: vec![initial.clone(); count],
            selected: 0,
            initial,
        }
    }

    /// All of them are reset.
    pub fn reset(&mut self) {
        self.all.fill(self.initial.clone());
        self.selected = 0;
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// The vector of a queue.
    pub fn vector(&self, number: usize) -> u16 {
        self.all[number].vector
    }

    /// Where the rings of a queue are, and how many descriptors they have.
    pub fn rings(&self, number: usize) -> (u16, [u64; 3]) {
        (self.all[number].size, self.all[number].addresses)
    }

    /// Which are enabled.
    pub fn enabled(&self) -> Vec<usize> {
        let numbers = 0..self.all.len();
        numbers.filter(|number| self.is_enabled(*number)).collect()
    }

    /// Whether one is, and is not being reset.
    pub fn is_enabled(&self, number: usize) -> bool {
        let found = self.all.get(number);
        found.is_some_and(|one| one.is_enabled && one.reads.is_none())
    }

    /// What the registers of the selected queue are now, as the bytes from [`SIZE`] to the last.
    pub fn read(&mut self, at: usize) -> (Vec<u8>, Option<Effect>) {
        let number = usize::from(self.selected);
        let Some(queue) = self.all.get_mut(number) else {
            return (vec![0; 64 - SIZE], None);
        };
        let mut effect = None;
        if at == RESET {
            match &mut queue.reads {
                Some(0) => {
                    *queue = self.initial.clone();
                    effect = Some(Effect::HasReset(number));
                }
                Some(left) => *left -= 1,
                None => {}
            }
            queue.is_unseen = false;
        }
        let mut bytes = Vec::new();
        let words = [
            queue.size,
            queue.vector,
            queue.is_enabled.into(),
            self.selected,
        ];
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        let addresses = queue.addresses.iter();
        bytes.extend(addresses.flat_map(|address| address.to_le_bytes()));
        bytes.extend(self.selected.to_le_bytes());
        bytes.extend(u16::from(queue.reads.is_some()).to_le_bytes());
        bytes.resize(64 - SIZE, 0);
        (bytes, effect)
    }

    /// The driver selects one.
    pub fn select(&mut self, number: u16) {
        self.selected = number;
    }

    /// The number that the driver reads back.
    pub fn selected(&self) -> u16 {
        self.selected
    }

    /// The driver writes to a register of the selected one.
    pub fn write(
        &mut self,
        at: usize,
        bytes: &[u8],
        terms: &Terms,
        judge: &mut Judge,
    ) -> Option<Effect> {
        let number = usize::from(self.selected);
        let Some(queue) = self.all.get_mut(number) else {
            judge.check(false, "4.1.5.1.3", || {
                format!("queue {number} is not there")
            });
            return None;
        };
        let value = bytes
            .iter()
            .rev()
            .fold(0, |value, byte| (value << 8) | u64::from(*byte));
        let is_enabled = queue.is_enabled;
        let mut rule = |holds, section, what: &str| {
            judge.check(holds, section, || format!("queue {number}: {what}"));
        };
        match (at, bytes.len()) {
            (SIZE, 2) => {
                rule(!is_enabled, SECTION, "its size is set while it is enabled");
                rule(
                    (1..=u64::from(self.initial.size)).contains(&value),
                    SECTION,
                    "a size that cannot be",
                );
                queue.size = value as u16;
            }
            (VECTOR, 2) => {
                // One that is not there reads back as none.
                let is_there = value < terms.vectors.into();
                queue.vector = if is_there {
                    value as u16
                } else {
                    vectors::NONE
                };
            }
            (ENABLE, 2) => {
                rule(
                    terms.has_features_ok,
                    "3.1.1",
                    "it is enabled before FEATURES_OK is set",
                );
                rule(
                    value == 1,
                    SECTION,
                    "it is disabled by other means than a reset",
                );
                rule(!is_enabled, SECTION, "it is enabled twice");
                rule(
                    !queue.is_unseen,
                    "2.6.1.1.2",
                    "it is enabled before its reset was seen to be over",
                );
                queue.is_enabled = true;
                return Some(Effect::Enabled(number));
            }
            (ADDRESSES..56, 4 | 8) => {
                rule(
                    !is_enabled,
                    SECTION,
                    "an address is set while it is enabled",
                );
                let at = at - ADDRESSES;
                let address = &mut queue.addresses[at / 8];
                let mut now = address.to_le_bytes();
                let end = (at % 8 + bytes.len()).min(8);
                now[at % 8..end].copy_from_slice(&bytes[..end - at % 8]);
                *address = u64::from_le_bytes(now);
            }
            (RESET, 2) => {
                rule(terms.has_reset, SECTION, "a reset that is not negotiated");
                rule(value == 1, SECTION, "something else than 1 in queue_reset");
                rule(is_enabled, "2.6.1", "a reset while it is not enabled");
                queue.reads = Some(terms.reset_reads);
                queue.is_unseen = true;
                return Some(Effect::ToReset(number));
            }
            _ => rule(
                false,
                "4.1.3.1",
                "a register that is not there, or a part of one",
            ),
        }
        None
    }
}
