// SPDX-License-Identifier: GPL-2.0

//! Who takes the packets that the driver sends.

#[cfg(test)]
mod tests;

use crate::{
    features,
    header::{Header, Packet, NEEDS_CSUM},
    judge::{
        gso::{self, ECN, TCPV4, TCPV6, TUNNELS, TUNNEL_CSUM, UDP, UDP_L4, WITH},
        Violation,
    },
    others::Others,
    packets::Traffic,
    state::World,
    tap,
};
use serde::Deserialize;
use std::{fs::File, io::Write};

/// The length of an address of Ethernet.
const ADDRESS: usize = 6;
/// The least that has addresses and a type.
const ETHERNET: usize = 14;

/// Who takes them. Packets for the driver come from the TAP only if it is that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Peer {
    /// The TAP, which may refuse one.
    #[default]
    Tap,
    /// Nobody: they are counted.
    Sink,
    /// One that sends them back, each in the receive queue of the same pair, or where the driver has said.
    /// What the driver would not take as it has sent it is refused.
    Echo,
}

impl Traffic {
    /// From now on packets go there.
    pub fn choose(&mut self, peer: Peer, tap: &File) {
        if self.peer != Peer::Tap {
            // What came while the TAP was not asked does not come later.
            self.discard(tap);
        }
        self.peer = peer;
    }

    /// Hands over what the driver has sent in the transmit queue of this pair. Returns whether it is taken.
    pub fn hand_over(
        &mut self,
        packet: &Packet,
        pair: u16,
        others: &mut Others,
        mut tap: &File,
        world: &mut World,
    ) -> bool {
        match self.peer {
            Peer::Tap => tap.write(&packet.join(tap::HEADER)).is_ok(),
            Peer::Sink => true,
            Peer::Echo => {
                let Some(answer) = answer(packet, world) else {
                    return false;
                };
                self.send_back(answer, pair, others, world);
                true
            }
        }
    }

    /// What is wrong with the receive queue is nothing that the transmit queue should wait for.
    fn send_back(&mut self, mut packet: Packet, pair: u16, others: &mut Others, world: &mut World) {
        // Receive queues may be out of use before what was sent is (section 5.1.6.5.6.2).
        let usual = if pair < world.pairs { pair } else { 0 };
        let pair = world
            .steering
            .steer(&mut packet, world.terms.accepted, usual);
        let number = 2 * usize::from(pair);
        match others.get_mut(number) {
            Some(queue) if pair < world.terms.pairs => {
                if let Err(error) = self.deliver(queue, packet, usize::MAX, world) {
                    let what = format!("queue {number}: {error}");
                    world.judge.record(Violation::new("2.7", what));
                }
            }
            _ => self.counters.dropped += 1,
        }
    }
}

/// A packet as it comes back, if the driver takes such a one: addresses are exchanged, and what is left to
/// do of it is as the driver has left it (section 5.1.6.4.1).
fn answer(packet: &Packet, world: &World) -> Option<Packet> {
    let sent = &packet.header;
    let takes = |feature| world.offloads.has(feature, &world.terms).then_some(());
    let mut header = Header::default();
    if sent.flags & NEEDS_CSUM != 0 {
        takes(features::GUEST_CSUM)?;
        let end = usize::from(sent.csum_start) + usize::from(sent.csum_offset) + 2;
        if end > packet.bytes.len() {
            return None;
        }
        header.flags = NEEDS_CSUM;
        header.csum_start = sent.csum_start;
        header.csum_offset = sent.csum_offset;
    }
    if sent.gso_type != 0 {
        takes(guest_feature(packet)?)?;
        if sent.gso_type & ECN != 0 {
            takes(features::GUEST_ECN)?;
        }
        if sent.gso_type & TUNNELS != 0 {
            takes(features::GUEST_UDP_TUNNEL_GSO)?;
            if gso::wrong_tunnel(packet).is_some() {
                return None;
            }
            header.outer_th_offset = sent.outer_th_offset;
            header.inner_nh_offset = sent.inner_nh_offset;
            if sent.flags & TUNNEL_CSUM != 0 {
                takes(features::GUEST_UDP_TUNNEL_GSO_CSUM)?;
                header.flags |= TUNNEL_CSUM;
            }
        }
        if header.flags & NEEDS_CSUM == 0 || sent.gso_size == 0 {
            return None;
        }
        header.gso_type = sent.gso_type;
        header.gso_size = sent.gso_size;
        header.hdr_len = sent.hdr_len;
    }
    if packet.bytes.len() < ETHERNET {
        return None;
    }
    let mut bytes = packet.bytes.clone();
    bytes[..2 * ADDRESS].rotate_left(ADDRESS);
    Some(Packet { header, bytes })
}

/// The feature of a driver that takes such a GSO packet, if its type is that of the packet.
fn guest_feature(packet: &Packet) -> Option<u32> {
    let kind = packet.header.gso_type & !WITH;
    if !gso::is_of_type(packet, kind) {
        return None;
    }
    match (kind, gso::version(packet)?) {
        (TCPV4, _) => Some(features::GUEST_TSO4),
        (TCPV6, _) => Some(features::GUEST_TSO6),
        (UDP, _) => Some(features::GUEST_UFO),
        (UDP_L4, 4) => Some(features::GUEST_USO4),
        (UDP_L4, _) => Some(features::GUEST_USO6),
        _ => None,
    }
}
