// SPDX-License-Identifier: GPL-2.0

//! Each rule is broken once, and found.

use super::{Judge, Violation};
use crate::{
    chain::{Chain, Memory},
    features::*,
    header::{Header, Packet},
    lent::Lent,
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
        let second = u64::from(*len) | u64::from(*flags) << 32 | u64::from(*next) << 48;
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

const fn mask(features: &[u32]) -> u64 {
    let (mut mask, mut at) = (0, 0);
    while at < features.len() {
        mask |= 1 << features[at];
        at += 1;
    }
    mask
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
        broken(|judge| judge.see_buffer(&chain(len, flags), mask(features) | 1 << VERSION_1))
    };
    assert!(see(1526, WRITE, &[]).is_empty());
    assert_eq!(see(1525, WRITE, &[]), ["5.1.6.3.1"]);
    assert_eq!(see(1533, WRITE, &[HASH_REPORT]), ["5.1.6.3.1"]);
    assert_eq!(see(65_600, WRITE, &[GUEST_USO6]), ["5.1.6.3.1"]);
    assert!(see(12, WRITE, &[MRG_RXBUF, GUEST_USO6]).is_empty());
    assert_eq!(see(11, WRITE, &[MRG_RXBUF]), ["5.1.6.3.1"]);
    assert_eq!(see(1526, 0, &[]), ["5.1.6.3.1", "5.1.6.3"]);
}

/// What a packet to be cut has, of 100 bytes, whose TCP header is 20 bytes long.
const UNCUT: Header = Header {
    flags: 1,
    gso_type: 1,
    hdr_len: 54,
    gso_size: 10,
    csum_start: 34,
    csum_offset: 16,
    num_buffers: 0,
    hash_value: 0,
    hash_report: 0,
};

fn sent(header: Header, features: &[u32]) -> Vec<&'static str> {
    let mut bytes = vec![0; 100];
    bytes[34 + 12] = 5 << 4;
    let packet = Packet { header, bytes };
    broken(|judge| {
        judge.see_packet(
            &chain(112, 0),
            Some(&packet),
            mask(features) | 1 << VERSION_1,
        )
    })
}

#[test]
fn packets() {
    let zero = Header::default();
    let all = [CSUM, HOST_TSO4, HOST_ECN];
    let good = [
        zero,
        UNCUT,
        Header {
            gso_type: 0x81,
            ..UNCUT
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
            ..UNCUT
        },
        Header {
            csum_offset: 0xffff,
            csum_start: 0xffff,
            gso_type: 0,
            gso_size: 0,
            ..UNCUT
        },
        Header {
            gso_type: 2,
            ..UNCUT
        },
        Header {
            gso_type: 4,
            ..UNCUT
        },
        Header {
            gso_size: 0,
            ..UNCUT
        },
        Header {
            hdr_len: 53,
            ..UNCUT
        },
    ];
    for header in bad {
        assert_eq!(sent(header, &all), ["5.1.6.2.1"], "{header:?}");
    }
    assert_eq!(
        sent(
            Header {
                gso_type: 0,
                gso_size: 0,
                ..UNCUT
            },
            &[]
        ),
        ["5.1.6.2.1"]
    );
    assert_eq!(sent(UNCUT, &[CSUM]), ["5.1.6.2.1"]);
    assert_eq!(
        sent(
            Header {
                gso_type: 0x81,
                ..UNCUT
            },
            &[CSUM, HOST_TSO4]
        ),
        ["5.1.6.2.1"]
    );
    assert_eq!(
        sent(
            Header {
                hdr_len: 55,
                ..UNCUT
            },
            &[CSUM, HOST_TSO4, GUEST_HDRLEN]
        ),
        ["5.1.6.2.1"]
    );
    assert_eq!(
        broken(|judge| judge.see_packet(&chain(5, 0), None, 0)),
        ["5.1.6.2.1"]
    );
    let packet = Packet {
        header: zero,
        bytes: vec![0; 14],
    };
    assert_eq!(
        broken(|judge| judge.see_packet(&chain(26, WRITE), Some(&packet), 0)),
        ["5.1.6.2"]
    );
}

#[test]
fn commands() {
    let see = |command, body: &[u8], room, features: &[u32]| {
        broken(|judge| judge.see_command(command, body, room, mask(features), 2))
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
    let see = |body: &[u8]| broken(|judge| judge.see_command((4, 1), body, 1, mask(&[RSS]), 2));
    assert!(see(&good).is_empty());
    assert_eq!(see(&good[..15]), ["5.1.6.5.7"]);
    for (at, value) in [(4, 2), (6, 2), (10, 2), (12, 0), (12, 3), (14, 2)] {
        let mut bad = good;
        bad[at] = value;
        assert_eq!(see(&bad), ["5.1.6.5.7"], "{at}");
    }
}

#[test]
fn features_that_need_others() {
    let see = |features: &[u32]| broken(|judge| judge.see_features(mask(features)));
    assert!(see(&[CSUM, HOST_TSO6, HOST_ECN, CTRL_VQ, MQ]).is_empty());
    assert_eq!(see(&[HOST_TSO6]), ["5.1.3.1"]);
    assert_eq!(see(&[CSUM, HOST_ECN]), ["5.1.3.1"]);
    assert_eq!(see(&[MQ, RSS]), ["5.1.3.1"; 2]);
}
