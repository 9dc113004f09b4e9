// SPDX-License-Identifier: GPL-2.0

//! Chains in a packed virtqueue (virtio 1.3, sections 2.8.6 and 2.8.7).

use super::{Chain, Guest, Memory, Part, DESCRIPTOR, INDIRECT, NEXT, WRITE};
use crate::judge::Violation;
use std::{io, sync::atomic::Ordering};
use vm_memory::{Address, Bytes, GuestAddress, GuestAddressSpace};

const AVAILABLE: u16 = 1 << 7;
const USED: u16 = 1 << 15;
/// Where the flags of a descriptor are.
const FLAGS: u64 = 14;

/// A place in a packed ring, and what the flags of this round are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The number of the descriptor.
    pub index: u16,
    /// The wrap counter.
    pub wrap: bool,
}

impl Place {
    /// The one that 16 bits stand for, as in vhost-user and in what suppresses events.
    pub fn from_bits(bits: u16) -> Self {
        Self {
            index: bits & 0x7fff,
            wrap: bits >> 15 == 1,
        }
    }

    /// The bits that stand for it.
    pub fn bits(self) -> u16 {
        self.index | (u16::from(self.wrap) << 15)
    }

    /// The one that is so many descriptors further, in a ring of `size`.
    pub fn after(self, count: u16, size: u16) -> Self {
        let further = u32::from(self.index) + u32::from(count);
        let rounds = further / u32::from(size);
        Self {
            index: (further % u32::from(size)) as u16,
            wrap: self.wrap ^ (rounds % 2 == 1),
        }
    }

    /// Those flags of a descriptor that is available here that say so.
    pub fn available(self) -> u16 {
        if self.wrap {
            AVAILABLE
        } else {
            USED
        }
    }

    /// The same for one that is used here.
    pub fn used(self) -> u16 {
        if self.wrap {
            AVAILABLE | USED
        } else {
            0
        }
    }
}

/// The descriptors of a packed ring.
#[derive(Clone, Copy)]
pub struct Descriptors {
    pub start: GuestAddress,
    pub size: u16,
}

/// A descriptor.
struct Descriptor {
    part: Part,
    id: u16,
    flags: u16,
}

impl Descriptors {
    /// Where a descriptor is.
    pub fn at(&self, index: u16) -> GuestAddress {
        GuestAddress(self.start.0 + u64::from(index) * DESCRIPTOR)
    }

    /// Whether the driver has made one available.
    pub fn is_available(&self, guest: &Guest, place: Place) -> io::Result<bool> {
        let at = GuestAddress(self.at(place.index).0 + FLAGS);
        let flags: u16 = guest
            .load(at, Ordering::Acquire)
            .map_err(io::Error::other)?;
        Ok(u16::from_le(flags) & (AVAILABLE | USED) == place.available())
    }
}

fn read(guest: &Guest, table: GuestAddress, index: u32) -> Result<Descriptor, Violation> {
    let mut bytes = [0; DESCRIPTOR as usize];
    let at = table.checked_add(u64::from(index) * DESCRIPTOR);
    at.ok_or(io::ErrorKind::InvalidInput.into())
        .and_then(|at| guest.read_slice(&mut bytes, at).map_err(io::Error::other))
        .map_err(|error| Violation::new("2.8.13", format!("a table at no memory: {error}")))?;
    let [a0, a1, a2, a3, a4, a5, a6, a7, l0, l1, l2, l3, i0, i1, f0, f1] = bytes;
    let flags = u16::from_le_bytes([f0, f1]);
    Ok(Descriptor {
        part: Part {
            start: GuestAddress(u64::from_le_bytes([a0, a1, a2, a3, a4, a5, a6, a7])),
            len: u32::from_le_bytes([l0, l1, l2, l3]),
            writable: flags & WRITE != 0,
        },
        id: u16::from_le_bytes([i0, i1]),
        flags,
    })
}

impl Chain {
    /// The chain that starts at an available descriptor, and how many descriptors of the ring it takes.
    /// `indirect` says whether the driver may use tables of its own for them.
    pub fn walk_packed(
        memory: &Memory,
        ring: Descriptors,
        first: Place,
        indirect: bool,
    ) -> (Result<Self, Violation>, u16) {
        let mut chain = Self {
            id: 0,
            parts: Vec::new(),
            guest: memory.memory(),
        };
        let mut count = 0;
        let found = chain.follow_packed(ring, first, indirect, &mut count);
        let found = found.and_then(|()| chain.in_order("2.8.17"));
        (found.map(|()| chain), count)
    }

    /// Adds what the ring has from a descriptor on, and counts the descriptors.
    fn follow_packed(
        &mut self,
        ring: Descriptors,
        first: Place,
        indirect: bool,
        count: &mut u16,
    ) -> Result<(), Violation> {
        loop {
            let place = first.after(*count, ring.size);
            let found = read(&self.guest, ring.start, place.index.into())?;
            *count += 1;
            let is_next = found.flags & NEXT != 0;
            if found.flags & (AVAILABLE | USED) != place.available() {
                let what = format!("descriptor {} of a chain is not available", place.index);
                return Err(Violation::new("2.8.6", what));
            }
            if found.flags & INDIRECT == 0 {
                self.parts.push(found.part);
            } else if !indirect {
                let what = "an indirect table that is not negotiated";
                return Err(Violation::new("2.8.19", what));
            } else if is_next || *count > 1 {
                let what = "an indirect table in a chain";
                return Err(Violation::new("2.8.19", what));
            } else {
                self.follow_table(&found.part, ring.size)?;
            }
            if !is_next {
                self.id = found.id;
                return Ok(());
            }
            if *count == ring.size {
                let what = format!("a chain of more than {count} descriptors");
                return Err(Violation::new("2.8.17", what));
            }
        }
    }

    /// Adds what a table of the driver's has: all of it.
    fn follow_table(&mut self, table: &Part, most: u16) -> Result<(), Violation> {
        let count = table.len / DESCRIPTOR as u32;
        if count == 0 || u64::from(table.len) % DESCRIPTOR != 0 {
            let what = "an indirect table whose length is not that of descriptors";
            return Err(Violation::new("2.8.7", what));
        }
        if count > most.into() {
            let what = format!("an indirect table of {count} descriptors, {most} at most");
            return Err(Violation::new("2.8.17", what));
        }
        for index in 0..count {
            let found = read(&self.guest, table.start, index)?;
            if found.flags & !WRITE != 0 {
                let what = format!("flags {:#x} in an indirect table", found.flags);
                return Err(Violation::new("2.8.19", what));
            }
            self.parts.push(found.part);
        }
        Ok(())
    }
}
