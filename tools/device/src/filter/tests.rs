// SPDX-License-Identifier: GPL-2.0

//! Each command, and what becomes of frames then.

use super::*;
use crate::{
    features::{CTRL_RX, CTRL_VLAN, MAC},
    space::Space,
};

const PROMISC: (u8, u8) = (0, 0);
const ALLMULTI: (u8, u8) = (0, 1);
const ALLUNI: (u8, u8) = (0, 2);
const NOMULTI: (u8, u8) = (0, 3);
const NOUNI: (u8, u8) = (0, 4);
const NOBCAST: (u8, u8) = (0, 5);

const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];
const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 2];
const GROUP: [u8; 6] = [1, 0, 0x5e, 0, 0, 1];
const ALL: [u8; 6] = [0xff; 6];

/// With a driver that has accepted these features of a device with the address [`OWN`].
fn terms(features: &[u32]) -> Terms {
    Terms {
        accepted: features.iter().fold(0, |mask, bit| mask | (1 << bit)),
        pairs: 1,
        space: Space::new(OWN.to_vec()),
    }
}

fn frame(destination: [u8; 6]) -> Vec<u8> {
    [&destination, [0; 6].as_slice(), &[0x88, 0xb5], &[0; 46]].concat()
}

/// One whose tag has these 16 bits: three of them are no part of the VLAN's number, nor is the fourth.
fn tagged(tag: u16) -> Vec<u8> {
    let tag = tag.to_be_bytes();
    [&OWN, [0; 6].as_slice(), &[0x81, 0], &tag, &[0x88, 0xb5]].concat()
}

fn after(commands: &[((u8, u8), &[u8])]) -> Filter {
    let mut filter = Filter::default();
    for (command, body) in commands {
        filter.obey(*command, body);
    }
    filter
}

/// Which of these pass: to the own address, to another one, to a group, to all.
fn passing(filter: &Filter, terms: &Terms) -> [bool; 4] {
    [OWN, OTHER, GROUP, ALL].map(|destination| filter.passes(&frame(destination), terms))
}

/// The same after promiscuous mode was turned off, and these commands.
fn passing_after(commands: &[((u8, u8), &[u8])]) -> [bool; 4] {
    let commands = [&[(PROMISC, [0].as_slice())], commands].concat();
    passing(&after(&commands), &terms(&[MAC, CTRL_RX]))
}

fn table(addresses: &[[u8; 6]]) -> Vec<u8> {
    let count = addresses.len() as u32;
    [count.to_le_bytes().as_slice(), &addresses.concat()].concat()
}

fn tables(unicast: &[[u8; 6]], multicast: &[[u8; 6]]) -> Vec<u8> {
    [table(unicast), table(multicast)].concat()
}

#[test]
fn modes() {
    assert_eq!(passing_after(&[]), [true, false, false, true]);
    let with = |modes: &[(u8, u8)]| {
        let on: Vec<_> = modes.iter().map(|mode| (*mode, [1].as_slice())).collect();
        passing_after(&on)
    };
    assert_eq!(with(&[PROMISC]), [true; 4]);
    assert_eq!(with(&[ALLMULTI]), [true, false, true, true]);
    assert_eq!(with(&[ALLUNI]), [true, true, false, true]);
    assert_eq!(with(&[ALLMULTI, NOMULTI]), [true, false, false, true]);
    assert_eq!(with(&[ALLUNI, NOUNI]), [false, false, false, true]);
    assert_eq!(with(&[ALLMULTI, NOBCAST]), [true, false, true, false]);
    assert_eq!(with(&[NOMULTI, NOUNI, NOBCAST]), [false; 4]);
    assert_eq!(with(&[PROMISC, NOMULTI, NOUNI, NOBCAST]), [true; 4]);
    assert_eq!(with(&[(0, 6)]), [true, false, false, true]);
}

#[test]
fn off_again() {
    for mode in [PROMISC, ALLMULTI, ALLUNI, NOMULTI, NOUNI, NOBCAST] {
        let commands = [(mode, [1].as_slice()), (mode, &[0])];
        assert_eq!(passing_after(&commands), [true, false, false, true]);
    }
}

/// Until the driver says otherwise, or if it cannot.
#[test]
fn everything() {
    let terms_of = [terms(&[MAC, CTRL_RX, CTRL_VLAN]), terms(&[MAC]), terms(&[])];
    for terms in &terms_of {
        assert_eq!(passing(&Filter::default(), terms), [true; 4]);
        assert!(Filter::default().passes(&tagged(5), terms));
    }
    let filter = after(&[(PROMISC, &[0])]);
    assert_eq!(passing(&filter, &terms(&[MAC])), [true; 4]);
}

#[test]
fn addresses() {
    let unicast = tables(&[[2, 0, 0, 0, 0, 9], OTHER], &[]);
    assert_eq!(
        passing_after(&[(TABLE_SET, &unicast)]),
        [true, true, false, true]
    );
    let multicast = tables(&[], &[GROUP]);
    let both = [
        (TABLE_SET, unicast.as_slice()),
        (TABLE_SET, multicast.as_slice()),
    ];
    assert_eq!(passing_after(&both), [true, false, true, true]);
    assert_eq!(
        passing_after(&[(TABLE_SET, &multicast), (NOMULTI, &[1])]),
        [true, false, false, true]
    );
    assert_eq!(
        passing_after(&[(TABLE_SET, &unicast), (NOUNI, &[1])]),
        [false, false, false, true]
    );
}

#[test]
fn own_address() {
    assert_eq!(
        passing_after(&[(ADDR_SET, &OTHER)]),
        [false, true, false, true]
    );
    // The one in the configuration space is nobody's without the feature.
    let without = terms(&[CTRL_RX]);
    let unknown = after(&[(PROMISC, &[0])]);
    assert_eq!(passing(&unknown, &without), [true, true, false, true]);
    let known = after(&[(PROMISC, &[0]), (ADDR_SET, &OTHER)]);
    assert_eq!(passing(&known, &without), [false, true, false, true]);
}

#[test]
fn vlans() {
    for features in [[MAC, CTRL_VLAN].as_slice(), &[MAC, CTRL_RX, CTRL_VLAN]] {
        let terms = terms(features);
        let mut filter = after(&[(PROMISC, &[0]), (VLAN_ADD, &[5, 1]), (VLAN_ADD, &[0, 0])]);
        let found =
            [0x105, 0xf105, 0x005, 0x501, 0, 7].map(|tag| filter.passes(&tagged(tag), &terms));
        assert_eq!(found, [true, true, false, false, true, false]);
        assert!(filter.passes(&frame(OWN), &terms));
        filter.obey(VLAN_DEL, &[5, 1]);
        assert!(!filter.passes(&tagged(0x105), &terms));
        assert!(filter.passes(&tagged(0), &terms));
    }
    let filter = after(&[(PROMISC, &[0])]);
    assert!(filter.passes(&tagged(5), &terms(&[MAC, CTRL_RX])));
    // A VLAN is no reason to have what goes elsewhere.
    let other = [&OTHER, &tagged(5)[6..]].concat();
    let filter = after(&[(PROMISC, &[0]), (VLAN_ADD, &[5, 0])]);
    assert!(!filter.passes(&other, &terms(&[MAC, CTRL_RX, CTRL_VLAN])));
}

#[test]
fn malformed() {
    let whole = tables(&[OTHER], &[GROUP]);
    assert!(read_tables(&whole).is_some());
    assert!((0..whole.len()).all(|length| read_tables(&whole[..length]).is_none()));
    let bad = [
        [whole.as_slice(), &[0]].concat(),
        tables(&[GROUP], &[]),
        tables(&[], &[OTHER]),
        vec![0xff; 64],
    ];
    for body in &bad {
        assert!(read_tables(body).is_none());
        let commands = [(TABLE_SET, whole.as_slice()), (TABLE_SET, body)];
        assert_eq!(passing_after(&commands), [true, true, true, true]);
    }
    for (command, body) in [
        (ALLMULTI, [].as_slice()),
        (ALLMULTI, &[2]),
        (ALLMULTI, &[1, 0]),
        (ADDR_SET, &OTHER[1..]),
        (ADDR_SET, &[2; 7]),
        (VLAN_ADD, &[5]),
        (VLAN_ADD, &[5, 0, 0]),
    ] {
        assert_eq!(
            passing_after(&[(command, body)]),
            [true, false, false, true]
        );
        assert!(after(&[(command, body)]).vlans.is_empty());
    }
}

/// A TAP has none of them.
#[test]
fn short_frames() {
    let filter = after(&[(PROMISC, &[0])]);
    let terms = terms(&[MAC, CTRL_RX, CTRL_VLAN]);
    let whole = tagged(5);
    let passed: Vec<_> = (0..whole.len())
        .filter(|length| filter.passes(&whole[..*length], &terms))
        .collect();
    assert_eq!(passed, (0..16).collect::<Vec<_>>());
}
