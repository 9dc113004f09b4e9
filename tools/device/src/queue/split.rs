// SPDX-License-Identifier: GPL-2.0

//! The rings of a split virtqueue (virtio 1.3, section 2.7).

use super::{Completed, Completion, Found, Interrupts, Rings};
use crate::{chain::Chain, judge::Judge};
use std::{
    io,
    num::Wrapping,
    sync::atomic::{fence, Ordering},
};
use vhost_user_backend::VringT;
use virtio_queue::QueueT;
use vm_memory::{Bytes, GuestAddress, GuestAddressSpace};

/// `VIRTQ_AVAIL_F_NO_INTERRUPT`
const NO_INTERRUPT: u16 = 1;
/// Where the entries of a ring begin.
const ENTRIES: u64 = 4;
/// Where a ring's index is.
const INDEX: u64 = 2;

/// Takes over all that the driver has made available, beside `lent` chains.
pub fn fetch(rings: &Rings, indirect: bool, lent: usize, judge: &mut Judge) -> io::Result<Found> {
    let memory = rings.memory.memory();
    let mut vring = rings.vring.get_mut();
    let queue = vring.get_queue_mut();
    let mut found = Found::new();
    if !queue.ready() {
        return Ok(found);
    }
    let end = queue.avail_idx(&*memory, Ordering::Acquire);
    let (size, end) = (queue.size(), end.map_err(io::Error::other)?);
    let flags: u16 = memory
        .load(GuestAddress(queue.avail_ring()), Ordering::Relaxed)
        .map_err(io::Error::other)?;
    let most = if queue.event_idx_enabled() {
        0
    } else {
        NO_INTERRUPT
    };
    judge.check(u16::from_le(flags) <= most, "2.7.7.1", || {
        format!("flags {flags:#x} of an available ring, not {most} at most")
    });
    let mut next = Wrapping(queue.next_avail());
    let count = usize::from((end - next).0) + lent;
    judge.check(count <= size.into(), "2.7.6", || {
        format!("a queue of size {size} has {count} chains")
    });
    while next != end {
        let at = queue.avail_ring() + ENTRIES + 2 * u64::from(next.0 % size);
        let id: u16 = memory
            .read_obj(GuestAddress(at))
            .map_err(io::Error::other)?;
        let (table, id) = (queue.desc_table(), u16::from_le(id));
        found.push(Chain::walk(&rings.memory, table, size, id, indirect));
        next += 1;
    }
    queue.set_next_avail(next.0);
    Ok(found)
}

/// Writes used entries and the index, and says how many interrupts there are to be.
pub fn complete(rings: &Rings, completion: &Completion) -> io::Result<Completed> {
    let memory = rings.memory.memory();
    let mut vring = rings.vring.get_mut();
    let queue = vring.get_queue_mut();
    if !queue.ready() {
        return Ok(Completed::default());
    }
    let (size, before) = (queue.size(), Wrapping(queue.next_used()));
    let mut next = before;
    for used in &completion.entries {
        let at = queue.used_ring() + ENTRIES + 8 * u64::from(next.0 % size);
        let entry = (u64::from(used.len) << 32) | u64::from(used.id);
        memory
            .write_obj(entry.to_le(), GuestAddress(at))
            .map_err(io::Error::other)?;
        next += 1;
    }
    next += completion.jump;
    queue.set_next_used(next.0);
    memory
        .store(
            next.0.to_le(),
            GuestAddress(queue.used_ring() + INDEX),
            Ordering::Release,
        )
        .map_err(io::Error::other)?;
    // The driver may ask for an interrupt at the same time; one of the two sees the other.
    fence(Ordering::SeqCst);

    let word = |at: u64| -> io::Result<u16> {
        let at = GuestAddress(queue.avail_ring() + at);
        let word = memory
            .load(at, Ordering::Relaxed)
            .map_err(io::Error::other)?;
        Ok(u16::from_le(word))
    };
    let since = completion.since.map_or(before, Wrapping);
    let interrupts = match completion.interrupts {
        Interrupts::Exactly(count) => count,
        Interrupts::Later => 0,
        Interrupts::Wanted if queue.event_idx_enabled() => {
            let event = Wrapping(word(ENTRIES + 2 * u64::from(size))?);
            (next - event - Wrapping(1) < next - since).into()
        }
        Interrupts::Wanted => (word(0)? & NO_INTERRUPT == 0).into(),
    };
    let from = before.0;
    Ok(Completed { interrupts, from })
}

/// The driver need not say that there is more.
pub fn ask_for_nothing(rings: &Rings) -> io::Result<()> {
    let mut vring = rings.vring.get_mut();
    if !vring.get_queue().ready() {
        return Ok(());
    }
    vring.disable_notification().map_err(io::Error::other)
}

/// The driver is to say that there is more. Returns whether there is some now.
pub fn ask_for_more(rings: &Rings) -> io::Result<bool> {
    let mut vring = rings.vring.get_mut();
    if !vring.get_queue().ready() {
        return Ok(false);
    }
    vring.enable_notification().map_err(io::Error::other)
}
