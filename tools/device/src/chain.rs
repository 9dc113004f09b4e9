// SPDX-License-Identifier: GPL-2.0

//! Chains of descriptors (virtio 1.3, sections 2.7.5 and 2.8.6): what the driver lends to the device.

pub mod packed;

use crate::judge::Violation;
use std::io;
use vm_memory::{
    Address, Bytes, GuestAddress, GuestAddressSpace, GuestMemoryAtomic, GuestMemoryLoadGuard,
    GuestMemoryMmap,
};

/// The memory of the guest, as it is from time to time.
pub type Memory = GuestMemoryAtomic<GuestMemoryMmap>;
/// The memory of the guest at one time.
pub type Guest = GuestMemoryLoadGuard<GuestMemoryMmap>;

const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECT: u16 = 4;
/// The most bytes of a chain.
const MOST: u64 = 1 << 32;
/// The length of a descriptor, in bytes.
const DESCRIPTOR: u64 = 16;

/// A piece of the guest's memory that the device may read, or may write.
#[derive(Clone, Copy)]
pub struct Part {
    /// Its first byte.
    pub start: GuestAddress,
    /// In bytes.
    pub len: u32,
    /// Whether it may be written, else read.
    pub writable: bool,
}

/// A chain of descriptors.
pub struct Chain {
    /// The number that the driver knows it by.
    pub id: u16,
    /// Its pieces, in their order.
    pub parts: Vec<Part>,
    guest: Guest,
}

/// A table of descriptors, and what is known of it.
struct Table {
    start: GuestAddress,
    size: u32,
    /// Whether an entry may stand for another table.
    indirect: bool,
}

impl Chain {
    /// The chain that starts at the descriptor `id` of a split queue with `size` of them from `table` on.
    /// `indirect` says whether the driver may use tables of its own for them.
    ///
    /// # Errors
    ///
    /// What the driver must not do.
    pub fn walk(
        memory: &Memory,
        table: u64,
        size: u16,
        id: u16,
        indirect: bool,
    ) -> Result<Self, Violation> {
        let mut chain = Self {
            id,
            parts: Vec::new(),
            guest: memory.memory(),
        };
        let table = Table {
            start: GuestAddress(table),
            size: size.into(),
            indirect,
        };
        chain.follow(&table, id, size.into())?;
        let total: u64 = chain.parts.iter().map(|part| u64::from(part.len)).sum();
        if total > MOST {
            let what = format!("a chain of {total} bytes");
            return Err(Violation::new("2.7.5.2", what));
        }
        chain.in_order("2.7.4.2")?;
        Ok(chain)
    }

    /// Nothing that is read comes behind what is written.
    fn in_order(&self, section: &'static str) -> Result<(), Violation> {
        let mut pairs = self.parts.windows(2);
        if pairs.any(|two| two[0].writable && !two[1].writable) {
            let what = "a chain has what is read behind what is written";
            return Err(Violation::new(section, what));
        }
        Ok(())
    }

    /// Adds what a table has from an entry on. No chain has more than `most` parts.
    fn follow(&mut self, table: &Table, first: u16, most: u32) -> Result<(), Violation> {
        let mut index = u32::from(first);
        loop {
            if index >= table.size {
                let what = format!("descriptor {index} of a table of {}", table.size);
                return Err(Violation::new("2.7.5", what));
            }
            let (start, len, flags, next) = self.descriptor(table, index)?;
            if flags & INDIRECT == 0 {
                self.parts.push(Part {
                    start: GuestAddress(start),
                    len,
                    writable: flags & WRITE != 0,
                });
            } else {
                self.follow_indirect(table, start, len, flags, most)?;
            }
            if self.parts.len() as u32 > most {
                let what = format!("a chain of more than {most} descriptors, or a loop");
                return Err(Violation::new("2.7.5.3.1", what));
            }
            if flags & NEXT == 0 {
                return Ok(());
            }
            index = next.into();
        }
    }

    fn follow_indirect(
        &mut self,
        table: &Table,
        start: u64,
        len: u32,
        flags: u16,
        most: u32,
    ) -> Result<(), Violation> {
        let wrong = if !table.indirect {
            "an indirect table that is not negotiated, or is in another one"
        } else if flags & NEXT != 0 {
            "an indirect table with another descriptor behind it"
        } else if len == 0 || u64::from(len) % DESCRIPTOR != 0 {
            "an indirect table whose length is not that of descriptors"
        } else {
            let inner = Table {
                start: GuestAddress(start),
                size: len / DESCRIPTOR as u32,
                indirect: false,
            };
            return self.follow(&inner, 0, most);
        };
        Err(Violation::new("2.7.5.3.1", wrong))
    }

    /// Address, length, flags and successor.
    fn descriptor(&self, table: &Table, index: u32) -> Result<(u64, u32, u16, u16), Violation> {
        let mut bytes = [0; DESCRIPTOR as usize];
        let at = table.start.checked_add(u64::from(index) * DESCRIPTOR);
        at.ok_or(io::ErrorKind::InvalidInput.into())
            .and_then(|at| {
                self.guest
                    .read_slice(&mut bytes, at)
                    .map_err(io::Error::other)
            })
            .map_err(|error| Violation::new("2.7.5", format!("a table at no memory: {error}")))?;
        let [a0, a1, a2, a3, a4, a5, a6, a7, l0, l1, l2, l3, f0, f1, n0, n1] = bytes;
        Ok((
            u64::from_le_bytes([a0, a1, a2, a3, a4, a5, a6, a7]),
            u32::from_le_bytes([l0, l1, l2, l3]),
            u16::from_le_bytes([f0, f1]),
            u16::from_le_bytes([n0, n1]),
        ))
    }

    /// All that the device may read.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for part in self.parts.iter().filter(|part| !part.writable) {
            let start = bytes.len();
            bytes.resize(start + part.len as usize, 0);
            self.guest
                .read_slice(&mut bytes[start..], part.start)
                .map_err(io::Error::other)?;
        }
        Ok(bytes)
    }

    /// How many bytes the device may write.
    pub fn room(&self) -> usize {
        let writable = self.parts.iter().filter(|part| part.writable);
        writable.map(|part| part.len as usize).sum()
    }

    /// Writes as much as there is room for, and says how much that is.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut done = 0;
        for part in self.parts.iter().filter(|part| part.writable) {
            let end = bytes.len().min(done + part.len as usize);
            self.guest
                .write_slice(&bytes[done..end], part.start)
                .map_err(io::Error::other)?;
            done = end;
        }
        Ok(done)
    }
}
