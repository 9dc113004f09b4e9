// SPDX-License-Identifier: GPL-2.0

//! What the device does wrong when it is told to.

use crate::{
    header::{Header, Packet},
    lent::Lent,
    queue::{Completion, Interrupts, Used},
    random::{Choice, Random},
};
use serde::Deserialize;
use std::collections::VecDeque;

/// Something that is wrong with one packet: its header, or how the driver is told that its buffers
/// have been used. Where a packet has several, it is said of the last.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The used entry names this chain; a packed queue has the lower 16 bits of it.
    Id(u32),
    /// It names one that the ring has and the driver has not lent.
    NotLent,
    /// So many bytes are said to have been written.
    Length(u32),
    /// The last buffer is given back twice.
    Twice,
    /// It is not given back.
    Never,
    /// All are given back after those of the next packet, which virtio allows.
    Later,
    /// The used index goes so much too far, where there is one.
    Jump(u16),
    /// The header has so many buffers.
    NumBuffers(u16),
    /// It has so many more than are used.
    MoreBuffers(u16),
    /// These are the fields of the header, but for the number of buffers.
    Header(Header),
    /// So many interrupts are raised, whatever the driver wants.
    Interrupts(u32),
}

/// The faults of a queue: of one packet after the other.
#[derive(Default)]
pub struct Faults {
    script: VecDeque<Option<Fault>>,
    /// What follows it.
    random: Option<Random>,
    /// Entries to be given back after the next packet's.
    later: Vec<Used>,
    /// How many packets something was wrong with.
    pub count: u64,
}

impl Faults {
    /// What is to be wrong with the next packets, if anything.
    pub fn script(&mut self, faults: Vec<Option<Fault>>) {
        self.script = faults.into();
    }

    /// Faults by chance from now on, or none.
    pub fn choose(&mut self, choice: Option<Choice>, queue: usize) {
        self.random = choice.map(|choice| Random::new(choice, queue));
    }

    /// What is to be wrong with the next packet.
    pub fn next(&mut self) -> Option<Fault> {
        let scripted = self.script.pop_front();
        let random = || self.random.as_mut().and_then(Random::next);
        let fault = scripted.unwrap_or_else(random);
        self.count += u64::from(fault.is_some());
        fault
    }

    /// The driver has reset the device.
    pub fn reset(&mut self) {
        self.later.clear();
    }

    /// What is given back now, when the buffers of a packet are used that has this fault.
    pub fn order(&mut self, fault: Option<&Fault>, mut entries: Vec<Used>) -> Vec<Used> {
        if matches!(fault, Some(Fault::Later)) {
            self.later.append(&mut entries);
        } else {
            entries.append(&mut self.later);
        }
        entries
    }
}

impl Fault {
    /// What the driver is to be told in a queue of `size` descriptors.
    pub fn of_completion(
        &self,
        completion: &mut Completion,
        queue: usize,
        size: u16,
        lent: &mut Lent,
    ) {
        let entries = &mut completion.entries;
        match (self, entries.last_mut()) {
            (Self::Id(id), Some(last)) => last.id = *id,
            (Self::NotLent, Some(last)) => {
                let free = (0..size).find(|id| !lent.has(queue, *id));
                // If the driver has lent all, it is the one that is given back anyhow.
                last.id = free.map_or(last.id, u32::from);
            }
            (Self::Length(len), Some(last)) => last.len = *len,
            (Self::Twice, Some(last)) => {
                let again = *last;
                entries.push(again);
            }
            (Self::Never, _) => {
                entries.pop();
            }
            (Self::Jump(far), _) => completion.jump = *far,
            (Self::Interrupts(count), _) => completion.interrupts = Interrupts::Exactly(*count),
            _ => {}
        }
        if matches!(
            self,
            Self::Id(_) | Self::NotLent | Self::Twice | Self::Jump(_)
        ) {
            lent.lose_track(queue);
        }
    }

    /// What the header of a packet is to be, which takes `buffers`.
    pub fn of_header(&self, packet: &mut Packet, buffers: u16) {
        let header = &mut packet.header;
        match self {
            Self::NumBuffers(number) => header.num_buffers = *number,
            Self::MoreBuffers(more) => header.num_buffers = buffers.wrapping_add(*more),
            Self::Header(other) => {
                *header = Header {
                    num_buffers: header.num_buffers,
                    ..*other
                }
            }
            _ => {}
        }
    }
}
