// SPDX-License-Identifier: GPL-2.0

//! Taking an answer with statistics apart (virtio 1.3, section 5.1.6.5.10).

use kernel::prelude::*;

/// The length of `struct virtio_net_stats_reply_hdr`, in bytes.
pub(super) const HEADER: usize = 8;

/// The statistics of one type and one virtqueue.
pub(super) struct Entry<'a> {
    /// The number of the type.
    pub(super) number: u8,
    /// The number of the virtqueue.
    pub(super) virtqueue: u16,
    counters: &'a [u8],
}

impl Entry<'_> {
    /// The counter at this place, if the entry is as long as that.
    pub(super) fn counter(&self, place: usize) -> Option<u64> {
        let bytes = self.counters.chunks_exact(size_of::<u64>()).nth(place)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }
}

/// Calls `take` for each entry of an answer, until one that is all zeroes: it has not been written.
///
/// # Errors
///
/// `EIO` if an entry is shorter than its header, or longer than what there is of the answer. `take`
/// has been called for those before it.
pub(super) fn entries(mut answer: &[u8], mut take: impl FnMut(Entry<'_>)) -> Result {
    while let Some(&header) = answer.first_chunk::<HEADER>() {
        if header == [0; HEADER] {
            return Ok(());
        }
        let [number, _, v0, v1, _, _, s0, s1] = header;
        let (entry, rest) = answer
            .split_at_checked(u16::from_le_bytes([s0, s1]).into())
            .ok_or(EIO)?;
        take(Entry {
            number,
            virtqueue: u16::from_le_bytes([v0, v1]),
            counters: entry.get(HEADER..).ok_or(EIO)?,
        });
        answer = rest;
    }
    Ok(())
}
