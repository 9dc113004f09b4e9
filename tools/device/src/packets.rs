// SPDX-License-Identifier: GPL-2.0

//! Packets, between the queues and the TAP, another peer or a test.

use crate::{
    capture::Capture,
    features,
    header::{self, Packet},
    others::Others,
    peer::Peer,
    queue::{Queue, Used},
    state::World,
    tap,
};
use serde::Serialize;
use std::{
    collections::{HashMap, VecDeque},
    fs::File,
    io::{self, Read},
};

/// The longest that a TAP gives.
const LONGEST: usize = tap::HEADER + 65_536;

/// So many of the packets that the driver has sent are kept, the last ones.
const KEPT: usize = 256;

/// What has gone where.
#[derive(Clone, Copy, Default, Serialize)]
pub struct Counters {
    /// To the guest.
    received: u64,
    /// For the guest, but it had no buffer, or one that was too small.
    pub dropped: u64,
    /// In the TAP, but nothing that the driver wants to receive.
    filtered: u64,
    /// From the guest.
    sent: u64,
    /// From the guest, but the peer did not take them.
    refused: u64,
}

/// What the device does with packets.
#[derive(Default)]
pub struct Traffic {
    /// What has gone where.
    pub counters: Counters,
    /// The last packets that the driver has sent, with the number of their queue.
    pub sent: VecDeque<(usize, Packet)>,
    /// Who takes what the driver sends.
    pub peer: Peer,
    /// A record of all packets, both ways.
    pub capture: Capture,
    /// By queue, a packet that the driver receives again and again, and how often still.
    floods: HashMap<usize, (Packet, u64)>,
}

impl Traffic {
    /// Takes what the driver sends, and hands it to the peer.
    pub fn transmit(
        &mut self,
        queue: &mut Queue,
        mut others: Others,
        tap: &File,
        world: &mut World,
    ) -> io::Result<()> {
        let pair = (queue.number / 2) as u16;
        queue.drain(|queue| {
            world.fetch(queue)?;
            while let Some(chain) = queue.take() {
                let Some(bytes) = queue.hold(|| chain.read()) else {
                    return Ok(());
                };
                let packet = Packet::split(bytes?, header::length(world.terms.accepted));
                world
                    .judge
                    .see_packet(&chain, packet.as_ref(), &world.terms);
                if let Some(packet) = packet {
                    self.capture
                        .see(queue.number, &packet.bytes, packet.bytes.len());
                    let is_taken = self.hand_over(&packet, pair, &mut others, tap, world);
                    let count = world.counts.of(queue.number);
                    if is_taken {
                        self.counters.sent += 1;
                        count.packet(&packet);
                    } else {
                        self.counters.refused += 1;
                        count.drop(false);
                    }
                    self.keep(queue.number, packet);
                } else {
                    world.counts.of(queue.number).drop(true);
                }
                let (id, fault) = (chain.id.into(), queue.faults.next());
                world.complete(queue, vec![Used { id, len: 0 }], fault.as_ref())?;
            }
            Ok(())
        })
    }

    fn keep(&mut self, queue: usize, packet: Packet) {
        if self.sent.len() == KEPT {
            self.sent.pop_front();
        }
        self.sent.push_back((queue, packet));
    }

    /// From now on the driver receives this packet `count` times, as fast as it lends buffers.
    pub fn flood(
        &mut self,
        queue: &mut Queue,
        packet: Packet,
        count: u64,
        world: &mut World,
    ) -> io::Result<()> {
        self.floods.insert(queue.number, (packet, count));
        self.fill(queue, world)
    }

    /// Takes over buffers, and uses them for a flood, if there is one.
    pub fn fill(&mut self, queue: &mut Queue, world: &mut World) -> io::Result<()> {
        queue.drain(|queue| {
            world.fetch(queue)?;
            let mut flood = self.floods.remove(&queue.number);
            while let Some((packet, left)) = &mut flood {
                if *left == 0 || self.deliver(queue, packet.clone(), usize::MAX, world)? == 0 {
                    break;
                }
                *left -= 1;
            }
            if let Some(flood) = flood {
                self.floods.insert(queue.number, flood);
            }
            Ok(())
        })
    }

    /// Drops what the TAP has: there is no driver yet, or another peer.
    pub fn discard(&mut self, mut tap: &File) {
        let mut bytes = vec![0; LONGEST];
        while tap.read(&mut bytes).is_ok() {
            self.counters.dropped += 1;
        }
    }

    /// Hands to the driver what it wants of what the TAP has, with its hash, in the queue that is for it.
    pub fn receive(
        &mut self,
        queues: &mut [Queue],
        mut tap: &File,
        world: &mut World,
    ) -> io::Result<()> {
        let mut bytes = vec![0; LONGEST];
        loop {
            match tap.read(&mut bytes) {
                Ok(length) => {
                    let packet = Packet::split(bytes[..length].to_vec(), tap::HEADER);
                    let mut packet = packet.ok_or(io::ErrorKind::UnexpectedEof)?;
                    if !world.filter.passes(&packet.bytes, &world.terms) {
                        self.counters.filtered += 1;
                        continue;
                    }
                    packet.header.num_buffers = 0;
                    let pair = world.steering.steer(&mut packet, world.terms.accepted, 0);
                    match queues.get_mut(2 * usize::from(pair)) {
                        Some(queue) if pair < world.terms.pairs => {
                            self.deliver(queue, packet, usize::MAX, world)?;
                        }
                        _ => self.counters.dropped += 1,
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Counts a packet that takes no buffers.
    fn drop(&mut self, queue: &Queue, world: &mut World, by_driver: bool) -> usize {
        self.counters.dropped += 1;
        world.counts.of(queue.number).drop(by_driver);
        0
    }

    /// Puts a packet and its header into buffers of the driver's, `most` bytes into each, and returns how
    /// many buffers it takes: none if there are too few. What has no room where only one may be used
    /// is cut off.
    pub fn deliver(
        &mut self,
        queue: &mut Queue,
        mut packet: Packet,
        most: usize,
        world: &mut World,
    ) -> io::Result<usize> {
        if queue.stopped {
            return Ok(self.drop(queue, world, false));
        }
        world.fetch(queue)?;
        let length = header::length(world.terms.accepted);
        let mergeable = world.terms.has(features::MRG_RXBUF);
        let wanted = length + packet.bytes.len();

        let (mut chains, mut room) = (Vec::new(), 0);
        while room < wanted && (mergeable || chains.is_empty()) {
            let Some(chain) = queue.take() else {
                chains
                    .into_iter()
                    .rev()
                    .for_each(|chain| queue.put_back(chain));
                return Ok(self.drop(queue, world, true));
            };
            room += chain.room().min(most);
            chains.push(chain);
        }
        if packet.header.num_buffers == 0 {
            packet.header.num_buffers = chains.len() as u16;
        }
        let fault = queue.faults.next();
        if let Some(fault) = &fault {
            fault.of_header(&mut packet, chains.len() as u16);
        }
        let bytes = packet.join(length);
        let (mut rest, mut entries) = (bytes.as_slice(), Vec::new());
        let written = queue.hold(|| {
            for chain in &chains {
                let written = chain.write(&rest[..rest.len().min(most)])?;
                rest = &rest[written..];
                entries.push(Used {
                    id: chain.id.into(),
                    len: written as u32,
                });
            }
            Ok(())
        });
        match written {
            Some(done) => done?,
            None => return Ok(self.drop(queue, world, false)),
        }
        let crossed = packet.bytes.len().saturating_sub(rest.len());
        self.capture
            .see(queue.number, &packet.bytes[..crossed], packet.bytes.len());
        if rest.is_empty() {
            self.counters.received += 1;
            world.counts.of(queue.number).packet(&packet);
        } else {
            self.drop(queue, world, true);
        }
        world.complete(queue, entries, fault.as_ref())?;
        Ok(chains.len())
    }
}
