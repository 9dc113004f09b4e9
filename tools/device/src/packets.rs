// SPDX-License-Identifier: GPL-2.0

//! Packets, between the queues and the TAP.

use crate::{
    chain::{self, Memory},
    tap::HEADER,
};
use serde::Serialize;
use std::{
    fs::File,
    io::{self, Read, Write},
};
use vhost_user_backend::VringRwLock;

/// The longest that a TAP gives.
const LONGEST: usize = HEADER + 65_536;

/// Where a header says how many buffers the packet takes.
const NUM_BUFFERS: usize = 10;

/// What has gone where.
#[derive(Clone, Copy, Default, Serialize)]
pub struct Counters {
    /// To the guest.
    received: u64,
    /// For the guest, but it had no buffer, or one that was too small.
    dropped: u64,
    /// From the guest.
    sent: u64,
    /// From the guest, but the host did not take them.
    refused: u64,
}

/// Hands to the TAP what the driver sends.
pub fn transmit(
    ring: &VringRwLock,
    memory: &Memory,
    mut tap: &File,
    counters: &mut Counters,
) -> io::Result<()> {
    chain::drain(ring, || {
        while let Some(taken) = chain::take(ring, memory) {
            match tap.write(&taken.read()?) {
                Ok(_) => counters.sent += 1,
                Err(_) => counters.refused += 1,
            }
            chain::give_back(ring, taken.id(), 0)?;
        }
        Ok(())
    })
}

/// Hands to the driver what the TAP has.
pub fn receive(
    ring: &VringRwLock,
    memory: &Memory,
    mut tap: &File,
    counters: &mut Counters,
) -> io::Result<()> {
    let mut packet = [0; LONGEST];
    loop {
        match tap.read(&mut packet) {
            Ok(length) if deliver(ring, memory, &mut packet[..length])? => counters.received += 1,
            Ok(_) => counters.dropped += 1,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Puts a packet and its header into one buffer of the driver's, and says whether there was one. What
/// has no room is cut off, and the driver told of what was written.
fn deliver(ring: &VringRwLock, memory: &Memory, packet: &mut [u8]) -> io::Result<bool> {
    packet[NUM_BUFFERS..HEADER].copy_from_slice(&1u16.to_le_bytes());
    let Some(taken) = chain::take(ring, memory) else {
        return Ok(false);
    };
    let written = taken.write(packet)?;
    chain::give_back(ring, taken.id(), written as u32)?;
    Ok(written == packet.len())
}
