// SPDX-License-Identifier: GPL-2.0

//! The guest's memory, as QEMU says it range by range.

use crate::chain::Memory;
use std::{fs::File, io, sync::Arc};
use vm_memory::{FileOffset, GuestAddress, GuestMemoryMmap, GuestRegionMmap};

/// The ranges that there are.
pub struct Ranges {
    memory: Memory,
    all: Vec<(u64, u64, Arc<GuestRegionMmap>)>,
}

impl Ranges {
    /// None yet.
    pub fn new(memory: Memory) -> Self {
        let all = Vec::new();
        Self { memory, all }
    }

    /// There is one more, whose content is that of a file from an offset on.
    pub fn add(&mut self, start: u64, length: u64, file: File, offset: u64) -> io::Result<()> {
        let place = FileOffset::new(file, offset);
        let region = GuestRegionMmap::from_range(GuestAddress(start), length as usize, Some(place));
        let region = Arc::new(region.map_err(io::Error::other)?);
        self.all.push((start, length, region));
        self.all.sort_by_key(|(start, ..)| *start);
        self.publish()
    }

    /// Nothing from here to there is the device's to use any more.
    pub fn remove(&mut self, start: u64, length: u64) -> io::Result<()> {
        let end = start.saturating_add(length);
        self.all
            .retain(|(from, length, _)| *from < start || from + length > end);
        self.publish()
    }

    fn publish(&self) -> io::Result<()> {
        let regions: Vec<_> = self.all.iter().map(|(.., one)| one.clone()).collect();
        let now = if regions.is_empty() {
            GuestMemoryMmap::new()
        } else {
            GuestMemoryMmap::from_arc_regions(regions).map_err(io::Error::other)?
        };
        let guard = self.memory.lock();
        guard
            .map_err(|_| io::Error::other("whoever had the memory has ended"))?
            .replace(now);
        Ok(())
    }
}
