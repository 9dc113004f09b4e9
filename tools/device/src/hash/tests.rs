// SPDX-License-Identifier: GPL-2.0

//! The hashes that Microsoft publishes for those who implement receive side scaling, and packets of
//! each kind.

use super::{toeplitz, Hash, Kind};
use std::net::{Ipv4Addr, Ipv6Addr};

/// The key of the published hashes.
const KEY: [u8; 40] = [
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0,
    0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c,
    0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
];

/// Source, target, their ports, the hash of the addresses, and that of the ports too.
type Published = (&'static str, &'static str, u16, u16, u32, u32);

const IPV4: [Published; 5] = [
    (
        "66.9.149.187",
        "161.142.100.80",
        2794,
        1766,
        0x323e_8fc2,
        0x51cc_c178,
    ),
    (
        "199.92.111.2",
        "65.69.140.83",
        14230,
        4739,
        0xd718_262a,
        0xc626_b0ea,
    ),
    (
        "24.19.198.95",
        "12.22.207.184",
        12898,
        38024,
        0xd2d0_a5de,
        0x5c2b_394a,
    ),
    (
        "38.27.205.30",
        "209.142.163.6",
        48228,
        2217,
        0x8298_9176,
        0xafc7_327f,
    ),
    (
        "153.39.163.191",
        "202.188.127.2",
        44251,
        1303,
        0x5d18_09c5,
        0x10e8_28a2,
    ),
];

const IPV6: [Published; 3] = [
    (
        "3ffe:2501:200:1fff::7",
        "3ffe:2501:200:3::1",
        2794,
        1766,
        0x2cc1_8cd5,
        0x4020_7d3d,
    ),
    (
        "3ffe:501:8::260:97ff:fe40:efab",
        "ff02::1",
        14230,
        4739,
        0x0f0c_461c,
        0xdde5_1bbf,
    ),
    (
        "3ffe:1900:4545:3:200:f8ff:fe21:67cf",
        "fe80::200:f8ff:fe21:67cf",
        44251,
        38024,
        0x4b61_e985,
        0x02d1_feef,
    ),
];

const TCP: u8 = 6;
const UDP: u8 = 17;
const OTHER: u8 = 253;
/// The home address option.
const HOME: u8 = 201;
const ALL: u32 = 0x1ff;

fn octets(address: &str) -> Vec<u8> {
    match address.parse::<Ipv4Addr>() {
        Ok(address) => address.octets().to_vec(),
        Err(_) => address.parse::<Ipv6Addr>().unwrap().octets().to_vec(),
    }
}

fn transport(from: u16, to: u16) -> Vec<u8> {
    [from.to_be_bytes(), to.to_be_bytes(), [0; 2], [0; 2]].concat()
}

/// An Ethernet frame with tags of VLANs.
fn frame(tags: &[u8], kind: u16, packet: &[u8]) -> Vec<u8> {
    [&[0; 12], tags, &kind.to_be_bytes(), packet].concat()
}

/// A packet with so many words of options, and with flags and offset of a fragment.
fn ipv4(one: &Published, protocol: u8, options: usize, fragment: u16) -> Vec<u8> {
    let mut head = vec![0; 20 + 4 * options];
    head[0] = 0x45 + options as u8;
    head[6..8].copy_from_slice(&fragment.to_be_bytes());
    head[9] = protocol;
    head[12..16].copy_from_slice(&octets(one.0));
    head[16..20].copy_from_slice(&octets(one.1));
    frame(&[], 0x0800, &[head, transport(one.2, one.3)].concat())
}

/// A packet with extension headers, each of them without its first byte.
fn ipv6(
    ends: (&str, &str),
    ports: (u16, u16),
    protocol: u8,
    extensions: &[(u8, &[u8])],
) -> Vec<u8> {
    let mut packet = vec![0; 40];
    packet[8..24].copy_from_slice(&octets(ends.0));
    packet[24..40].copy_from_slice(&octets(ends.1));
    let mut next = 6;
    for (kind, rest) in extensions {
        packet[next] = *kind;
        next = packet.len();
        packet.push(0);
        packet.extend(*rest);
    }
    packet[next] = protocol;
    frame(&[], 0x86dd, &[packet, transport(ports.0, ports.1)].concat())
}

fn hash(frame: &[u8], types: u32) -> Option<(u32, u16)> {
    Hash::of(frame, types, &KEY).map(|hash| (hash.value, hash.report))
}

/// A hash that is reported as of this kind.
fn of(value: u32, kind: Kind) -> Option<(u32, u16)> {
    Some((value, kind as u16 + 1))
}

fn bit(kind: Kind) -> u32 {
    1 << kind as u32
}

#[test]
fn published() {
    for one in &IPV4 {
        assert_eq!(hash(&ipv4(one, TCP, 0, 0), ALL), of(one.5, Kind::TcpV4));
        assert_eq!(hash(&ipv4(one, UDP, 0, 0), ALL), of(one.5, Kind::UdpV4));
        assert_eq!(hash(&ipv4(one, OTHER, 0, 0), ALL), of(one.4, Kind::Ipv4));
    }
    for one in &IPV6 {
        let frame = |protocol| ipv6((one.0, one.1), (one.2, one.3), protocol, &[]);
        assert_eq!(hash(&frame(TCP), ALL), of(one.5, Kind::TcpV6));
        assert_eq!(hash(&frame(UDP), ALL), of(one.5, Kind::UdpV6));
        assert_eq!(hash(&frame(OTHER), ALL), of(one.4, Kind::Ipv6));
    }
}

/// Only what the driver has chosen: ports, else addresses, else nothing.
#[test]
fn chosen() {
    let one = &IPV4[0];
    let tcp = ipv4(one, TCP, 0, 0);
    assert_eq!(hash(&tcp, ALL & !bit(Kind::TcpV4)), of(one.4, Kind::Ipv4));
    assert_eq!(hash(&tcp, bit(Kind::UdpV4) | bit(Kind::Ipv6)), None);
    assert_eq!(hash(&tcp, 0), None);
    let one = &IPV6[0];
    let udp = ipv6((one.0, one.1), (one.2, one.3), UDP, &[]);
    assert_eq!(hash(&udp, bit(Kind::UdpV6)), of(one.5, Kind::UdpV6));
    assert_eq!(
        hash(&udp, bit(Kind::Ipv6) | bit(Kind::TcpV6)),
        of(one.4, Kind::Ipv6)
    );
    // Those are for packets with extension headers.
    assert_eq!(hash(&udp, bit(Kind::UdpV6Ex) | bit(Kind::Ipv6Ex)), None);
}

#[test]
fn other_frames() {
    let one = &IPV4[0];
    let whole = ipv4(one, TCP, 0, 0);
    assert_eq!(hash(&ipv4(one, TCP, 10, 0), ALL), of(one.5, Kind::TcpV4));
    let tags = [0x88, 0xa8, 0, 7, 0x81, 0, 0, 8];
    assert_eq!(
        hash(&frame(&tags, 0x0800, &whole[14..]), ALL),
        of(one.5, Kind::TcpV4)
    );
    // The same for all fragments, of which only the first has ports.
    for fragment in [0x2000, 0x2001, 1] {
        assert_eq!(
            hash(&ipv4(one, TCP, 0, fragment), ALL),
            of(one.4, Kind::Ipv4)
        );
    }
    // It must not be fragmented.
    assert_eq!(
        hash(&ipv4(one, TCP, 0, 0x4000), ALL),
        of(one.5, Kind::TcpV4)
    );
    assert_eq!(hash(&frame(&[], 0x0806, &whole[14..]), ALL), None);
    assert_eq!(hash(&whole[..14 + 20 + 3], ALL), of(one.4, Kind::Ipv4));
    for length in 0..14 + 20 {
        assert_eq!(hash(&whole[..length], ALL), None, "{length}");
    }
}

/// Addresses that are in extension headers count, if the driver has chosen that.
#[test]
fn extensions() {
    let one = &IPV6[2];
    let (home, routed) = (octets(one.0), octets(one.1));
    let destination = [&[2, 0, 1, 1, 7, HOME, 16], home.as_slice()].concat();
    let routing = [&[2, 2, 1, 0, 0, 0, 0], routed.as_slice()].concat();
    let both: [(u8, &[u8]); 3] = [(0, &[0; 7]), (60, &destination), (43, &routing)];
    let away = ("fe80::1", "fe80::2");
    let frame = |protocol| ipv6(away, (one.2, one.3), protocol, &both);
    assert_eq!(hash(&frame(TCP), ALL), of(one.5, Kind::TcpV6Ex));
    assert_eq!(hash(&frame(UDP), ALL), of(one.5, Kind::UdpV6Ex));
    assert_eq!(hash(&frame(OTHER), ALL), of(one.4, Kind::Ipv6Ex));
    assert_eq!(
        hash(&frame(TCP), bit(Kind::Ipv6Ex) | bit(Kind::TcpV6)),
        of(one.4, Kind::Ipv6Ex)
    );
    // Else they are skipped.
    let plain = |types| hash(&ipv6(away, (one.2, one.3), TCP, &[]), types);
    for types in [bit(Kind::TcpV6), bit(Kind::Ipv6)] {
        assert!(plain(types).is_some());
        assert_eq!(hash(&frame(TCP), types), plain(types));
    }
}

/// Extension headers without addresses leave those of the packet.
#[test]
fn extensions_without_addresses() {
    let one = &IPV6[0];
    let frame = |protocol, extension: (u8, &[u8])| {
        ipv6((one.0, one.1), (one.2, one.3), protocol, &[extension])
    };
    let segments = [&[2, 4, 1, 0, 0, 0, 0], octets("fe80::9").as_slice()].concat();
    let kinds: [(u8, &[u8]); 5] = [
        (0, &[0; 7]),
        (60, &[0, 1, 4, 0, 0, 0, 0]),
        (43, &segments),
        (51, &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        // A fragment that is all of its datagram.
        (44, &[0; 7]),
    ];
    for extension in kinds {
        assert_eq!(
            hash(&frame(TCP, extension), ALL),
            of(one.5, Kind::TcpV6Ex),
            "{extension:?}"
        );
    }
    // More fragments follow; the second of them.
    for offset in [1u16, 8, 9] {
        let rest = [&[0], offset.to_be_bytes().as_slice(), &[0; 4]].concat();
        assert_eq!(hash(&frame(TCP, (44, &rest)), ALL), of(one.4, Kind::Ipv6Ex));
    }
    // Nothing is known of what is behind an encrypted one, or behind the end.
    assert_eq!(hash(&frame(50, (0, &[0; 7])), ALL), of(one.4, Kind::Ipv6Ex));
    assert_eq!(
        hash(&frame(TCP, (0, &[200; 7])), ALL),
        of(one.4, Kind::Ipv6)
    );
}

/// As long as the key of a device may be.
#[test]
fn keys() {
    assert_eq!(toeplitz(&[], &[255; 12]), 0);
    assert_eq!(toeplitz(&[0xff; 4], &[0x80]), u32::MAX);
    assert_eq!(toeplitz(&[0, 0, 0, 1], &[0x01]), 1 << 7);
    assert_eq!(toeplitz(&[0, 0, 0, 0, 0x80], &[0, 0x01]), 1 << 14);
}
