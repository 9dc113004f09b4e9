// SPDX-License-Identifier: GPL-2.0

//! What becomes of packets with each peer, and what may come back to a driver that has accepted what.

use super::*;
use crate::{
    features::*,
    others,
    queue::Queue,
    space::Space,
    state::{State, World},
};
use vhost_user_backend::{VringRwLock, VringT};
use vm_memory::{GuestMemoryAtomic, GuestMemoryMmap};

const PAIRS: u16 = 2;

fn world(features: &[u32]) -> World {
    let mut world = State::new(PAIRS, Space::new(vec![0; 24])).world;
    world.terms.accepted = features.iter().fold(0, |mask, bit| mask | (1 << bit));
    world
}

/// What is behind the Ethernet header of a packet that is left to the device whole: IP and the protocol.
fn gso_packet(kind: u8, version: u8, protocol: u8) -> Packet {
    let mut bytes: Vec<u8> = (0..200).collect();
    let ethernet = if version == 4 { [8, 0] } else { [0x86, 0xdd] };
    bytes[12..14].copy_from_slice(&ethernet);
    bytes[14] = if version == 4 { 0x45 } else { 0x60 };
    bytes[if version == 4 { 23 } else { 20 }] = protocol;
    let header = Header {
        flags: NEEDS_CSUM,
        gso_type: kind,
        gso_size: 50,
        hdr_len: 54,
        csum_start: 34,
        csum_offset: 16,
        ..Header::default()
    };
    Packet { header, bytes }
}

/// The same in a tunnel over IPv4.
fn tunneled() -> Packet {
    let mut packet = gso_packet(TCPV4 | gso::TUNNEL4, 4, 17);
    packet.bytes[40..42].copy_from_slice(&[0, 0]);
    packet.bytes[64] = 0x45;
    packet.bytes[73] = 6;
    packet.header.csum_start = 84;
    packet.header.outer_th_offset = 34;
    packet.header.inner_nh_offset = 64;
    packet
}

fn text(header: &Header) -> String {
    format!("{header:?}")
}

/// It comes back with all of these features, with its header, and without any one of them not at all.
fn needs(packet: &Packet, features: &[u32]) {
    let answered = answer(packet, &world(features)).expect("all is accepted");
    assert_eq!(text(&answered.header), text(&packet.header));
    for missing in features {
        let others: Vec<u32> = features.iter().copied().filter(|f| f != missing).collect();
        assert!(
            answer(packet, &world(&others)).is_none(),
            "without {missing}"
        );
    }
}

#[test]
fn addresses() {
    for length in [14, 15, 1514] {
        let bytes: Vec<u8> = (0..length).map(|number| number as u8).collect();
        let header = Header::default();
        let answered = answer(&Packet { header, bytes }, &world(&[])).unwrap();
        let wanted = (6..12).chain(0..6).chain(12..length);
        assert!(answered
            .bytes
            .into_iter()
            .eq(wanted.map(|number| number as u8)));
        assert_eq!(text(&answered.header), text(&Header::default()));
    }
    let bytes = vec![0; 13];
    let header = Header::default();
    assert!(answer(&Packet { header, bytes }, &world(&[])).is_none());
}

/// What only the one who sends may have said is not in the answer.
#[test]
fn said_for_nothing() {
    let mut packet = gso_packet(0, 4, 6);
    packet.header = Header {
        flags: 2,
        num_buffers: 7,
        hash_value: 1,
        hash_report: 1,
        outer_th_offset: 1,
        ..packet.header
    };
    let answered = answer(&packet, &world(&[GUEST_CSUM])).unwrap();
    assert_eq!(text(&answered.header), text(&Header::default()));
}

#[test]
fn checksums() {
    let mut packet = gso_packet(0, 4, 6);
    packet.header.gso_size = 0;
    packet.header.hdr_len = 0;
    needs(&packet, &[GUEST_CSUM]);
    for (start, offset) in [(183, 16), (0xffff, 0xffff), (0, 199)] {
        packet.header.csum_start = start;
        packet.header.csum_offset = offset;
        assert!(answer(&packet, &world(&[GUEST_CSUM])).is_none());
    }
}

#[test]
fn gso_packets() {
    for (kind, version, protocol, feature) in [
        (TCPV4, 4, 6, GUEST_TSO4),
        (TCPV6, 6, 6, GUEST_TSO6),
        (UDP, 4, 17, GUEST_UFO),
        (UDP_L4, 4, 17, GUEST_USO4),
        (UDP_L4, 6, 17, GUEST_USO6),
    ] {
        needs(&gso_packet(kind, version, protocol), &[GUEST_CSUM, feature]);
    }
    let ecn = gso_packet(TCPV4 | ECN, 4, 6);
    needs(&ecn, &[GUEST_CSUM, GUEST_TSO4, GUEST_ECN]);

    let all = world(&[GUEST_CSUM, GUEST_TSO4, GUEST_TSO6, GUEST_USO4]);
    let good = gso_packet(TCPV4, 4, 6);
    let header = good.header;
    for wrong in [
        // Of another kind than the packet is.
        Header {
            gso_type: TCPV6,
            ..header
        },
        Header {
            gso_type: UDP_L4,
            ..header
        },
        Header {
            gso_type: 2,
            ..header
        },
        Header {
            gso_size: 0,
            ..header
        },
        Header { flags: 0, ..header },
    ] {
        let bytes = good.bytes.clone();
        let packet = Packet {
            header: wrong,
            bytes,
        };
        assert!(answer(&packet, &all).is_none(), "{wrong:?}");
    }
}

#[test]
fn tunnels() {
    let mut packet = tunneled();
    let features = [GUEST_CSUM, GUEST_TSO4, GUEST_UDP_TUNNEL_GSO];
    needs(&packet, &features);
    packet.header.flags |= TUNNEL_CSUM;
    let with_sums = [&features[..], &[GUEST_UDP_TUNNEL_GSO_CSUM]].concat();
    needs(&packet, &with_sums);
    packet.header.inner_nh_offset = 65;
    assert!(answer(&packet, &world(&with_sums)).is_none());
}

/// What the driver has turned off.
#[test]
fn turned_off() {
    let mut world = world(&[GUEST_CSUM, GUEST_TSO4]);
    let packet = gso_packet(TCPV4, 4, 6);
    assert!(answer(&packet, &world).is_some());
    world.offloads.obey((5, 0), &2u64.to_le_bytes());
    assert!(answer(&packet, &world).is_none());
}

/// A driver that has no buffers.
#[test]
fn peers() {
    let memory = GuestMemoryAtomic::new(GuestMemoryMmap::new());
    let mut queues: Vec<Queue> = (0..=2 * usize::from(PAIRS))
        .map(|number| {
            let vring = VringRwLock::new(memory.clone(), 8).unwrap();
            Queue::new(number, vring, memory.clone(), false)
        })
        .collect();
    let (_, mut others) = others::split(&mut queues, 1).unwrap();
    let mut world = world(&[]);
    let mut traffic = Traffic::default();
    // It cannot be written.
    let tap = File::open("/dev/null").unwrap();
    let mut packet = gso_packet(0, 4, 6);
    let mut taken = |peer, packet: &Packet| {
        traffic.peer = peer;
        let is_taken = traffic.hand_over(packet, 0, &mut others, &tap, &mut world);
        (is_taken, traffic.counters.dropped)
    };
    assert_eq!(taken(Peer::Sink, &packet), (true, 0));
    assert_eq!(taken(Peer::Echo, &packet), (false, 0));
    packet.header = Header::default();
    assert_eq!(taken(Peer::Echo, &packet), (true, 1));
    assert_eq!(taken(Peer::Tap, &packet), (false, 1));
}
