// SPDX-License-Identifier: GPL-2.0

//! The ring of a packed virtqueue (virtio 1.3, section 2.8).

use super::{Completed, Completion, Found, Interrupts, Rings};
use crate::{
    chain::{
        packed::{Descriptors, Place},
        Chain, Guest,
    },
    judge::Judge,
};
use std::{
    collections::HashMap,
    io,
    sync::{
        atomic::{fence, Ordering},
        Arc, Mutex, MutexGuard,
    },
};
use vhost_user_backend::VringT;
use virtio_queue::QueueT;
use vm_memory::{Bytes, GuestAddress, GuestAddressSpace};

/// Where the fields of a descriptor are that a device writes.
const LENGTH: u64 = 8;
const ID: u64 = 12;
const FLAGS: u64 = 14;
/// `VIRTQ_DESC_F_WRITE`
const WRITE: u16 = 2;

/// Where the flags are in what suppresses events, and their values: `RING_EVENT_FLAGS_*`.
const EVENT_FLAGS: u64 = 2;
const ENABLE: u16 = 0;
const DISABLE: u16 = 1;
const OF_DESCRIPTOR: u16 = 2;

/// What is known of the ring since the driver has reset the device.
#[derive(Clone, Default)]
pub struct Packed(Arc<Mutex<State>>);

#[derive(Default)]
enum State {
    /// Nothing, before it is first used.
    #[default]
    Unknown,
    Known(Places),
    /// There is no such ring any more.
    Gone,
}

struct Places {
    /// What the driver makes available next.
    available: Place,
    /// What the device uses next.
    used: Place,
    /// How many descriptors the chains have that the driver has lent, by their numbers.
    lengths: HashMap<u16, u16>,
}

impl Places {
    /// QEMU says both at first, and the crate keeps one of them: they are the same then.
    fn at_first(base: u16) -> Self {
        Self {
            available: Place::from_bits(base),
            used: Place::from_bits(base),
            lengths: HashMap::new(),
        }
    }
}

impl State {
    fn places(&mut self, base: u16) -> Option<&mut Places> {
        if let Self::Unknown = self {
            *self = Self::Known(Places::at_first(base));
        }
        match self {
            Self::Known(places) => Some(places),
            _ => None,
        }
    }
}

fn event_flags(guest: &Guest, area: u64) -> io::Result<u16> {
    let at = GuestAddress(area + EVENT_FLAGS);
    let flags = guest
        .load(at, Ordering::Acquire)
        .map_err(io::Error::other)?;
    Ok(u16::from_le(flags))
}

impl Packed {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0
            .lock()
            .expect("whoever had the lock has ended the program")
    }

    /// Whoever still has the ring writes nothing to it any more.
    pub fn give_up(&self) {
        *self.state() = State::Gone;
    }

    /// Takes over all that the driver has made available.
    pub fn fetch(&self, rings: &Rings, indirect: bool, judge: &mut Judge) -> io::Result<Found> {
        let guest = rings.memory.memory();
        let mut vring = rings.vring.get_mut();
        let queue = vring.get_queue_mut();
        let mut found = Found::new();
        let mut state = self.state();
        let places = queue.ready().then(|| state.places(queue.next_avail()));
        let Some(places) = places.flatten() else {
            return Ok(found);
        };
        let flags = event_flags(&guest, queue.avail_ring())?;
        let most = if queue.event_idx_enabled() {
            OF_DESCRIPTOR
        } else {
            DISABLE
        };
        judge.check(flags <= most, "2.8.10", || {
            format!("flags {flags:#x} for events, not {most} at most")
        });
        let ring = Descriptors {
            start: GuestAddress(queue.desc_table()),
            size: rings.size(queue),
        };
        while ring.is_available(&guest, places.available)? {
            let place = places.available;
            let (chain, count) = Chain::walk_packed(&rings.memory, ring, place, indirect);
            places.available = place.after(count, ring.size);
            if let Ok(chain) = &chain {
                places.lengths.insert(chain.id, count);
            }
            found.push(chain);
        }
        queue.set_next_avail(places.available.bits());
        Ok(found)
    }

    /// Writes used descriptors, the first of them last, and says how many interrupts there are to be.
    pub fn complete(&self, rings: &Rings, completion: &Completion) -> io::Result<Completed> {
        let guest = rings.memory.memory();
        let vring = rings.vring.get_mut();
        let queue = vring.get_queue();
        let mut state = self.state();
        let places = queue.ready().then(|| state.places(queue.next_avail()));
        let Some(places) = places.flatten() else {
            return Ok(Completed::default());
        };
        let ring = Descriptors {
            start: GuestAddress(queue.desc_table()),
            size: rings.size(queue),
        };
        let before = places.used;
        let mut flags = Vec::new();
        for used in &completion.entries {
            let (place, id) = (places.used, used.id as u16);
            let at = ring.at(place.index).0;
            let write = |at, value: &[u8]| {
                guest
                    .write_slice(value, GuestAddress(at))
                    .map_err(io::Error::other)
            };
            write(at + LENGTH, &used.len.to_le_bytes())?;
            write(at + ID, &id.to_le_bytes())?;
            let written = if used.len == 0 { 0 } else { WRITE };
            flags.push((at + FLAGS, place.used() | written));
            // What the driver has not lent is one descriptor, as far as it can be said.
            let count = places.lengths.remove(&id).unwrap_or(1);
            places.used = place.after(count, ring.size);
        }
        for (at, flags) in flags.into_iter().rev() {
            guest
                .store(flags.to_le(), GuestAddress(at), Ordering::Release)
                .map_err(io::Error::other)?;
        }
        // The driver may ask for an interrupt at the same time; one of the two sees the other.
        fence(Ordering::SeqCst);

        let since = completion.since.map_or(before, Place::from_bits);
        let interrupts = match completion.interrupts {
            Interrupts::Exactly(count) => count,
            Interrupts::Later => 0,
            Interrupts::Wanted => {
                let area = queue.avail_ring();
                let place: u16 = guest
                    .load(GuestAddress(area), Ordering::Relaxed)
                    .map_err(io::Error::other)?;
                let event = Place::from_bits(u16::from_le(place));
                let is_wanted = match event_flags(&guest, area)? {
                    ENABLE => since != places.used,
                    OF_DESCRIPTOR => is_among(event, since, places.used),
                    _ => false,
                };
                is_wanted.into()
            }
        };
        let from = before.bits();
        Ok(Completed { interrupts, from })
    }

    /// The driver need not say that there is more.
    pub fn ask_for_nothing(&self, rings: &Rings) -> io::Result<()> {
        self.ask(rings, DISABLE)
    }

    /// The driver is to say that there is more. Returns whether there is some now.
    pub fn ask_for_more(&self, rings: &Rings) -> io::Result<bool> {
        self.ask(rings, ENABLE)?;
        // The driver may make some available at the same time; one of the two sees the other.
        fence(Ordering::SeqCst);
        let guest = rings.memory.memory();
        let vring = rings.vring.get_ref();
        let queue = vring.get_queue();
        let ring = Descriptors {
            start: GuestAddress(queue.desc_table()),
            size: rings.size(queue),
        };
        match &*self.state() {
            State::Known(places) if queue.ready() => ring.is_available(&guest, places.available),
            _ => Ok(false),
        }
    }

    fn ask(&self, rings: &Rings, flags: u16) -> io::Result<()> {
        let guest = rings.memory.memory();
        let vring = rings.vring.get_ref();
        let queue = vring.get_queue();
        if !queue.ready() {
            return Ok(());
        }
        let at = GuestAddress(queue.used_ring() + EVENT_FLAGS);
        guest
            .store(flags.to_le(), at, Ordering::Release)
            .map_err(io::Error::other)
    }
}

/// Whether the descriptor of an event is one of those from a place to before another.
pub fn is_among(event: Place, from: Place, to: Place) -> bool {
    let in_first = event.wrap == from.wrap && event.index >= from.index;
    if from.wrap == to.wrap {
        in_first && event.index < to.index
    } else {
        in_first || event.wrap == to.wrap && event.index < to.index
    }
}
