// SPDX-License-Identifier: GPL-2.0

//! Each rule is broken once, and found.

use super::{Judge, Violation};
use crate::{
    chain::{Chain, Memory},
    features::*,
    header::{Header, Packet},
    lent::Lent,
    space::Space,
    terms::Terms,
};
use vm_memory::{Bytes, GuestAddress, GuestAddressSpace, GuestMemoryAtomic, GuestMemoryMmap};

const TABLE: u64 = 0x1000;
const INNER: u64 = 0x2000;
const DATA: u64 = 0x8000;
const SIZE: u16 = 8;
const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECT: u16 = 4;

/// Address, length, flags and successor.
type Descriptor = (u64, u32, u16, u16);

fn put(memory: &Memory, table: u64, descriptors: &[Descriptor]) {
    for (number, (start, len, flags, next)) in descriptors.iter().enumerate() {
        let at = GuestAddress(table + 16 * number as u64);
        let second = u64::from(*len) | (u64::from(*flags) << 32) | (u64::from(*next) << 48);
        memory
            .memory()
            .write_obj([start.to_le(), second.to_le()], at)
            .unwrap();
    }
}

fn memory(descriptors: &[Descriptor]) -> Memory {
    let ranges = [(GuestAddress(0), 0x10_0000)];
    let memory = GuestMemoryAtomic::new(GuestMemoryMmap::from_ranges(&ranges).unwrap());
    put(&memory, TABLE, descriptors);
    memory
}

fn walk(memory: &Memory, id: u16, indirect: bool) -> Result<Chain, Violation> {
    Chain::walk(memory, TABLE, SIZE, id, indirect)
}

/// A chain of one descriptor of so many bytes.
fn chain(len: u32, flags: u16) -> Chain {
    walk(&memory(&[(DATA, len, flags, 0)]), 0, false).unwrap()
}

/// The sections of the rules that are broken.
fn broken(act: impl FnOnce(&mut Judge)) -> Vec<&'static str> {
    let mut judge = Judge::default();
    act(&mut judge);
    judge
        .take()
        .iter()
        .map(|violation| violation.section)
        .collect()
}

const fn mask(features: &[u32]) -> u128 {
    let (mut mask, mut at) = (0, 0);
    while at < features.len() {
        mask |= 1 << features[at];
        at += 1;
    }
    mask
}

/// A device with two pairs of queues that has an MTU of 1500, keys of 2 bytes, tables of 4 entries and
/// hashes of IPv4, with a driver that accepts these features of virtio 1.
fn terms(features: &[u32]) -> Terms {
    let mut space = vec![0; 24];
    space[10..12].copy_from_slice(&1500u16.to_le_bytes());
    space[17] = 2;
    space[18] = 4;
    space[20] = 7;
    Terms {
        accepted: mask(features) | (1 << VERSION_1),
        pairs: 2,
        space: Space::new(space),
    }
}

#[test]
fn chains() {
    let section = |descriptors: &[Descriptor], id, indirect| {
        let found = walk(&memory(descriptors), id, indirect);
        found.err().map(|violation| violation.section)
    };
    let (read, write) = ((DATA, 10, NEXT, 1), (DATA, 10, WRITE | NEXT, 1));
    let last = (DATA, 10, 0, 0);
    assert_eq!(section(&[read, (DATA, 10, WRITE, 0)], 0, false), None);
    assert_eq!(section(&[write, last], 0, false), Some("2.7.4.2"));
    assert_eq!(section(&[last], SIZE, false), Some("2.7.5"));
    let half = |flags, next| (DATA, 1 << 31, flags, next);
    let whole = [half(NEXT, 1), half(0, 0)];
    assert_eq!(section(&whole, 0, false), None);
    let more = [half(NEXT, 1), half(NEXT, 2), (DATA, 1, 0, 0)];
    assert_eq!(section(&more, 0, false), Some("2.7.5.2"));
    assert_eq!(section(&[(DATA, 10, NEXT, SIZE)], 0, false), Some("2.7.5"));
    assert_eq!(section(&[(DATA, 10, NEXT, 0)], 0, false), Some("2.7.5.3.1"));
}

#[test]
fn indirect_tables() {
    let section = |outer: Descriptor, inner: &[Descriptor], negotiated| {
        let memory = memory(&[outer, (DATA, 10, 0, 0)]);
        put(&memory, INNER, inner);
        walk(&memory, 0, negotiated)
            .err()
            .map(|violation| violation.section)
    };
    let inner = [(DATA, 10, NEXT, 1), (DATA, 10, WRITE, 0)];
    let outer = (INNER, 32, INDIRECT, 0);
    assert_eq!(section(outer, &inner, true), None);
    assert_eq!(section(outer, &inner, false), Some("2.7.5.3.1"));
    assert_eq!(
        section((INNER, 32, INDIRECT | NEXT, 1), &inner, true),
        Some("2.7.5.3.1")
    );
    assert_eq!(
        section((INNER, 31, INDIRECT, 0), &inner, true),
        Some("2.7.5.3.1")
    );
    assert_eq!(
        section((INNER, 0, INDIRECT, 0), &inner, true),
        Some("2.7.5.3.1")
    );
    assert_eq!(
        section((INNER, 16, INDIRECT, 0), &inner, true),
        Some("2.7.5")
    );
    let nested = [(INNER, 16, INDIRECT, 0)];
    assert_eq!(section(outer, &nested, true), Some("2.7.5.3.1"));
    assert_eq!(
        section((u64::MAX - 100, 32, INDIRECT, 0), &inner, true),
        Some("2.7.5")
    );
}

#[test]
fn memory_that_is_lent() {
    let memory = memory(&[
        (DATA, 10, WRITE, 0),
        (DATA + 10, 10, 0, 0),
        (DATA + 9, 10, 0, 0),
    ]);
    let lend = |ids: &[u16], back: Option<u16>| {
        broken(|judge| {
            let mut lent = Lent::default();
            for (queue, id) in ids.iter().enumerate() {
                lent.lend(queue, &walk(&memory, *id, false).unwrap(), judge);
                if back == Some(*id) {
                    lent.give_back(queue, *id);
                }
            }
        })
    };
    assert!(lend(&[0, 1], None).is_empty());
    // Nobody writes to what both may read.
    assert!(lend(&[1, 2], None).is_empty());
    assert_eq!(lend(&[0, 2], None), ["2.7.13"]);
    assert_eq!(lend(&[0, 0], None), ["2.7.13"]);
    assert!(lend(&[0, 0], Some(0)).is_empty());
}

#[test]
fn receive_buffers() {
    let see = |len, flags, features: &[u32]| {
        broken(|judge| judge.see_buffer(&chain(len, flags), &terms(features)))
    };
    assert!(see(1526, WRITE, &[]).is_empty());
    assert_eq!(see(1525, WRITE, &[]), ["5.1.6.3.1"]);
    assert_eq!(see(1533, WRITE, &[HASH_REPORT]), ["5.1.6.3.1"]);
    assert_eq!(see(65_600, WRITE, &[GUEST_USO6]), ["5.1.6.3.1"]);
    assert!(see(12, WRITE, &[MRG_RXBUF, GUEST_USO6]).is_empty());
    assert_eq!(see(11, WRITE, &[MRG_RXBUF]), ["5.1.6.3.1"]);
    assert_eq!(see(1526, 0, &[]), ["5.1.6.3.1", "5.1.6.3"]);
    assert!(see(1526, WRITE, &[MTU]).is_empty());
    let mut large = terms(&[MTU]);
    large.space = Space::new([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x28, 0x23].into());
    let see = |len| broken(|judge| judge.see_buffer(&chain(len, WRITE), &large));
    assert!(see(12 + 14 + 9000).is_empty());
    assert_eq!(see(12 + 14 + 8999), ["5.1.6.3.1"]);
}

/// What a GSO packet has, of 100 bytes, whose TCP header is 20 bytes long.
const GSO: Header = Header {
    flags: 1,
    gso_type: 1,
    hdr_len: 54,
    gso_size: 10,
    csum_start: 34,
    csum_offset: 16,
    num_buffers: 0,
    hash_value: 0,
    hash_report: 0,
    outer_th_offset: 0,
    inner_nh_offset: 0,
};

/// What it has before its TCP header: types of Ethernet, the version of IP, and the protocol.
fn gso_packet() -> Vec<u8> {
    let mut bytes = vec![0; 100];
    bytes[12] = 8;
    bytes[14 + 9] = 6;
    bytes[34 + 12] = 5 << 4;
    bytes
}

fn sent_bytes(header: Header, bytes: Vec<u8>, features: &[u32]) -> Vec<&'static str> {
    let packet = Packet { header, bytes };
    broken(|judge| judge.see_packet(&chain(112, 0), Some(&packet), &terms(features)))
}

fn sent(header: Header, features: &[u32]) -> Vec<&'static str> {
    sent_bytes(header, gso_packet(), features)
}

/// A TCP packet that is to be segmented, in a VXLAN tunnel, both over IPv4.
fn tunneled() -> (Header, Vec<u8>) {
    let mut bytes = vec![0; 2000];
    for (ip, protocol) in [(14, 17), (64, 6)] {
        bytes[ip - 2..ip].copy_from_slice(&[8, 0]);
        bytes[ip] = 0x45;
        bytes[ip + 9] = protocol;
    }
    bytes[84 + 12] = 5 << 4;
    let header = Header {
        flags: 1,
        gso_type: 0x21,
        hdr_len: 104,
        gso_size: 1000,
        csum_start: 84,
        csum_offset: 16,
        outer_th_offset: 34,
        inner_nh_offset: 64,
        ..Header::default()
    };
    (header, bytes)
}

#[test]
fn offloads_of_tunnels() {
    let set = |bit: u64, features: &[u32]| {
        let body = (1u64 << bit).to_le_bytes();
        broken(|judge| judge.see_command((5, 0), &body, 1, &terms(features)))
    };
    let all = [CTRL_GUEST_OFFLOADS, GUEST_UDP_TUNNEL_GSO];
    assert_eq!(set(46, &all), [""; 0]);
    assert_eq!(set(47, &all), ["5.1.6.5.8"]);
    assert_eq!(set(46, &all[..1]), ["5.1.6.5.8"]);
}

#[test]
fn tunnels() {
    let (good, bytes) = tunneled();
    let all = [CSUM, HOST_TSO4, HOST_UDP_TUNNEL_GSO];
    let with_sums = [all.as_slice(), &[HOST_UDP_TUNNEL_GSO_CSUM]].concat();
    assert_eq!(sent_bytes(good, bytes.clone(), &all), [""; 0]);
    let summed = Header { flags: 9, ..good };
    assert_eq!(sent_bytes(summed, bytes.clone(), &with_sums), [""; 0]);

    let bad = [
        Header {
            gso_type: 0x41,
            ..good
        },
        Header {
            gso_type: 0x61,
            ..good
        },
        Header {
            gso_type: 0x20,
            ..good
        },
        Header {
            outer_th_offset: 42,
            ..good
        },
        Header {
            inner_nh_offset: 14,
            ..good
        },
        Header {
            inner_nh_offset: 0xffff,
            ..good
        },
        summed,
        // Nothing of a tunnel without one.
        Header {
            gso_type: 1,
            ..good
        },
        Header {
            outer_th_offset: 34,
            ..Header::default()
        },
        Header {
            flags: 8,
            ..Header::default()
        },
    ];
    for header in bad {
        let found = sent_bytes(header, bytes.clone(), &all);
        assert!(!found.is_empty(), "{header:?}");
    }
    let found = sent_bytes(good, bytes.clone(), &all[..2]);
    assert!(!found.is_empty(), "not negotiated");
    let mut summed = bytes;
    summed[40] = 1;
    let found = sent_bytes(good, summed, &with_sums);
    assert_eq!(found, ["5.1.6.2.1"], "a checksum that nobody fills in");
}

#[test]
fn packets() {
    let zero = Header::default();
    let all = [CSUM, HOST_TSO4, HOST_ECN];
    let good = [
        zero,
        GSO,
        Header {
            gso_type: 0x81,
            ..GSO
        },
    ];
    for header in good {
        assert!(sent(header, &all).is_empty(), "{header:?}");
    }
    let bad = [
        Header {
            num_buffers: 1,
            ..zero
        },
        Header {
            hash_value: 1,
            ..zero
        },
        Header {
            hash_report: 1,
            ..zero
        },
        Header { flags: 2, ..zero },
        Header {
            csum_start: 34,
            ..zero
        },
        Header {
            csum_offset: 16,
            ..zero
        },
        Header {
            gso_size: 10,
            ..zero
        },
        Header {
            csum_offset: 65,
            gso_type: 0,
            gso_size: 0,
            ..GSO
        },
        Header {
            csum_offset: 0xffff,
            csum_start: 0xffff,
            gso_type: 0,
            gso_size: 0,
            ..GSO
        },
        Header { gso_type: 2, ..GSO },
        Header { gso_type: 4, ..GSO },
        Header { gso_size: 0, ..GSO },
        Header { hdr_len: 53, ..GSO },
    ];
    for header in bad {
        assert_eq!(sent(header, &all), ["5.1.6.2.1"], "{header:?}");
    }
    assert_eq!(
        sent(
            Header {
                gso_type: 0,
                gso_size: 0,
                ..GSO
            },
            &[]
        ),
        ["5.1.6.2.1"]
    );
    assert_eq!(sent(GSO, &[CSUM]), ["5.1.6.2.1"]);
    assert_eq!(
        sent(
            Header {
                gso_type: 0x81,
                ..GSO
            },
            &[CSUM, HOST_TSO4]
        ),
        ["5.1.6.2.1"]
    );
    assert_eq!(
        sent(
            Header { hdr_len: 55, ..GSO },
            &[CSUM, HOST_TSO4, GUEST_HDRLEN]
        ),
        ["5.1.6.2.1"]
    );
    assert_eq!(
        broken(|judge| judge.see_packet(&chain(5, 0), None, &terms(&[]))),
        ["5.1.6.2.1"]
    );
    let packet = Packet {
        header: zero,
        bytes: vec![0; 14],
    };
    assert_eq!(
        broken(|judge| judge.see_packet(&chain(26, WRITE), Some(&packet), &terms(&[]))),
        ["5.1.6.2"]
    );
}

/// What a packet is, and what its header says that it is.
#[test]
fn types_of_packets() {
    let see = |kind: u8, ethernet: [u8; 2], at: usize, protocol: u8| {
        let mut bytes = gso_packet();
        bytes[12..14].copy_from_slice(&ethernet);
        bytes[14 + 9] = 0;
        bytes[14 + at] = protocol;
        let header = Header {
            gso_type: kind,
            ..GSO
        };
        sent_bytes(
            header,
            bytes,
            &[CSUM, HOST_TSO4, HOST_TSO6, HOST_UFO, HOST_USO],
        )
    };
    let (four, six) = ([0x08, 0x00], [0x86, 0xdd]);
    let (tcp, udp, hop_by_hop) = (6, 17, 0);
    for (kind, protocol) in [(1, tcp), (3, udp), (5, udp)] {
        assert!(see(kind, four, 9, protocol).is_empty(), "{kind}");
    }
    for (kind, protocol) in [
        (4, tcp),
        (4, hop_by_hop),
        (3, udp),
        (5, udp),
        (5, hop_by_hop),
    ] {
        assert!(see(kind, six, 6, protocol).is_empty(), "{kind}");
    }
    for (kind, protocol) in [(1, udp), (4, tcp), (3, tcp), (5, tcp)] {
        assert_eq!(see(kind, four, 9, protocol), ["5.1.6.2.1"], "{kind}");
    }
    for (kind, protocol) in [(1, tcp), (4, udp), (3, tcp), (5, tcp)] {
        assert_eq!(see(kind, six, 6, protocol), ["5.1.6.2.1"], "{kind}");
    }
    assert_eq!(see(1, [0x08, 0x06], 9, tcp), ["5.1.6.2.1"]);
    let mut tagged = gso_packet();
    tagged.splice(12..12, [0x88, 0xa8, 0, 1, 0x81, 0, 0, 2]);
    let header = Header {
        csum_start: 42,
        hdr_len: 62,
        ..GSO
    };
    assert!(sent_bytes(header, tagged, &[CSUM, HOST_TSO4]).is_empty());
    assert_eq!(
        sent_bytes(GSO, vec![0; 60], &[CSUM, HOST_TSO4]),
        ["5.1.6.2.1"]
    );
}

#[test]
fn congestion() {
    let mut bytes = gso_packet();
    bytes[34 + 13] = 0x80;
    let all = [CSUM, HOST_TSO4, HOST_ECN];
    assert_eq!(sent_bytes(GSO, bytes.clone(), &all), ["5.1.6.2.1"]);
    let header = Header {
        gso_type: 0x81,
        ..GSO
    };
    assert!(sent_bytes(header, bytes, &all).is_empty());
}

#[test]
fn longest_packet() {
    let zero = Header::default();
    let see = |header, length, features: &[u32]| sent_bytes(header, vec![0; length], features);
    assert!(see(zero, 1514, &[MTU]).is_empty());
    assert!(see(zero, 1515, &[]).is_empty());
    assert_eq!(see(zero, 1515, &[MTU]), ["5.1.4.2"]);
    let mut tagged = vec![0; 1518];
    tagged[12] = 0x81;
    assert!(sent_bytes(zero, tagged, &[MTU]).is_empty());
    let mut long = gso_packet();
    long.resize(4000, 0);
    assert!(sent_bytes(GSO, long, &[MTU, CSUM, HOST_TSO4]).is_empty());
}

#[test]
fn commands() {
    let see = |command, body: &[u8], room, features: &[u32]| {
        broken(|judge| judge.see_command(command, body, room, &terms(features)))
    };
    assert!(see((0, 0), &[1], 1, &[CTRL_RX]).is_empty());
    assert_eq!(see((0, 0), &[1], 1, &[]), ["5.1.6.5.1"]);
    assert_eq!(see((0, 0), &[2], 1, &[CTRL_RX]), ["5.1.6.5.1"]);
    assert_eq!(see((0, 0), &[1], 0, &[CTRL_RX]), ["5.1.6.5.1"]);
    assert_eq!(see((0, 0), &[1], 2, &[CTRL_RX]), ["5.1.6.5.1"]);
    assert_eq!(see((9, 0), &[], 1, &[]), ["5.1.6.5"]);

    let (one, group) = ([2, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, 1]);
    let table =
        |first: &[u8], second: &[u8]| [&[1, 0, 0, 0], first, &[1, 0, 0, 0], second].concat();
    assert!(see((1, 0), &table(&one, &group), 1, &[CTRL_RX]).is_empty());
    for bad in [
        table(&group, &group),
        table(&one, &one),
        table(&one, &group[1..]),
        vec![0; 7],
    ] {
        assert_eq!(see((1, 0), &bad, 1, &[CTRL_RX]), ["5.1.6.5.2"]);
    }
    assert!(see((4, 0), &[2, 0], 1, &[MQ]).is_empty());
    assert_eq!(see((4, 0), &[0, 0], 1, &[MQ]), ["5.1.6.5.6"]);
    assert_eq!(see((4, 0), &[3, 0], 1, &[MQ]), ["5.1.6.5.6"]);
    assert!(see(
        (5, 0),
        &[2, 0, 0, 0, 0, 0, 0, 0],
        1,
        &[CTRL_GUEST_OFFLOADS, GUEST_CSUM]
    )
    .is_empty());
    assert_eq!(
        see((5, 0), &[2, 0, 0, 0, 0, 0, 0, 0], 1, &[CTRL_GUEST_OFFLOADS]),
        ["5.1.6.5.8"]
    );
    assert!(see((6, 3), &[3, 0, 0, 0], 9, &[VQ_NOTF_COAL]).is_empty());
    assert_eq!(
        see((6, 3), &[4, 0, 0, 0], 9, &[VQ_NOTF_COAL]),
        ["5.1.6.5.9"]
    );
}

#[test]
fn tables_of_queues() {
    // Types; a mask of 1; where the rest goes; a table of 2; queues to send with; a key of one byte.
    let good = [1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 2, 0, 1, 7];
    let see = |body: &[u8]| broken(|judge| judge.see_command((4, 1), body, 1, &terms(&[RSS])));
    assert!(see(&good).is_empty());
    assert_eq!(see(&good[..15]), ["5.1.6.5.7"]);
    for (at, value) in [
        (0, 8),
        (3, 1),
        (4, 2),
        (6, 2),
        (7, 0x80),
        (10, 2),
        (11, 0x80),
        (12, 0),
        (12, 3),
        (14, 2),
    ] {
        let mut bad = good;
        bad[at] = value;
        assert_eq!(see(&bad), ["5.1.6.5.7"], "{at}");
    }
    // Three entries, eight of them, and a key of three bytes.
    let table = |entries: u8, key: u8| {
        let table = [1, 0, 0, 0, entries - 1, 0, 0, 0].to_vec();
        let table = [table, vec![0; 2 * usize::from(entries)], vec![2, 0, key]].concat();
        [table, vec![7; key.into()]].concat()
    };
    assert!(see(&table(4, 2)).is_empty());
    for (entries, key) in [(3, 2), (8, 2), (4, 3)] {
        assert_eq!(see(&table(entries, key)), ["5.1.6.5.7"], "{entries} {key}");
    }
    assert_eq!(
        broken(|judge| judge.see_command((4, 1), &good, 1, &terms(&[MQ, HASH_REPORT]))),
        ["5.1.6.5.7"]
    );
}

#[test]
fn hashes() {
    // Types; what is reserved; a key of two bytes.
    let good = [7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 7, 7];
    let see = |body: &[u8], features: &[u32]| {
        broken(|judge| judge.see_command((4, 2), body, 1, &terms(features)))
    };
    assert!(see(&good, &[HASH_REPORT]).is_empty());
    assert_eq!(see(&good, &[RSS]), ["5.1.6.5.6"]);
    assert_eq!(see(&good[..14], &[HASH_REPORT]), ["5.1.6.5.6"]);
    for (at, value) in [(0, 8), (1, 1), (4, 1), (11, 1), (12, 1), (12, 3)] {
        let mut bad = good;
        bad[at] = value;
        assert_eq!(see(&bad, &[HASH_REPORT]), ["5.1.6.5.6"], "{at}");
    }
    let long = [&good[..12], &[3, 7, 7, 7]].concat();
    assert_eq!(see(&long, &[HASH_REPORT]), ["5.1.6.5.6"]);
}

#[test]
fn statistics() {
    /// A queue, what is reserved, and types.
    fn asked(queue: u8, types: u64) -> Vec<u8> {
        [[queue, 0, 0, 0, 0, 0, 0, 0], types.to_le_bytes()].concat()
    }
    let see = |body: &[u8], room| {
        broken(|judge| judge.see_command((8, 1), body, room, &terms(&[DEVICE_STATS])))
    };
    let (receive, transmit, control) = (0xf, 0xf << 16, 1 << 32);
    let all = [asked(2, receive), asked(3, transmit), asked(4, control)].concat();
    assert!(see(&all, 1 + 9 * 8).is_empty());
    assert_eq!(see(&all, 9 * 8), ["5.1.6.5.10"]);
    assert_eq!(see(&all[..47], 1000), ["5.1.6.5.10"]);
    assert_eq!(see(&[], 1000), ["5.1.6.5.10"]);
    for (queue, types) in [
        (2, transmit),
        (2, 0x10),
        (3, receive),
        (4, receive),
        (4, control << 1),
        (5, transmit),
        (6, receive),
    ] {
        assert_eq!(
            see(&asked(queue, types), 1000),
            ["5.1.6.5.10"],
            "{queue} {types:#x}"
        );
    }
}

#[test]
fn features_that_need_others() {
    let see = |features: &[u32]| broken(|judge| judge.see_features(0, mask(features)));
    assert!(see(&[CSUM, HOST_TSO6, HOST_ECN, CTRL_VQ, MQ]).is_empty());
    assert_eq!(see(&[HOST_TSO6]), ["5.1.3.1"]);
    assert_eq!(see(&[CSUM, HOST_ECN]), ["5.1.3.1"]);
    assert_eq!(see(&[MQ, RSS]), ["5.1.3.1"; 2]);
    assert_eq!(see(&[HASH_REPORT, CTRL_RX_EXTRA]), ["5.1.4.2"; 2]);
    assert!(see(&[HASH_REPORT, CTRL_RX_EXTRA, CTRL_VQ]).is_empty());
    let offered = mask(&[VERSION_1, CSUM]);
    assert_eq!(
        broken(|judge| judge.see_features(offered, mask(&[CSUM]))),
        ["6.1"]
    );
    assert!(broken(|judge| judge.see_features(offered, mask(&[VERSION_1]))).is_empty());
}
