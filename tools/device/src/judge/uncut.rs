// SPDX-License-Identifier: GPL-2.0

//! What there is in a packet that the device is to cut.

use crate::header::Packet;

/// `VIRTIO_NET_HDR_GSO_ECN`
pub const ECN: u8 = 0x80;
/// `VIRTIO_NET_HDR_GSO_TCPV4`, and so on.
pub const TCPV4: u8 = 1;
pub const UDP: u8 = 3;
pub const TCPV6: u8 = 4;
pub const UDP_L4: u8 = 5;

/// Types of the tags of VLANs, and the length of a tag.
const TAGS: [u16; 2] = [0x8100, 0x88a8];
const TAG: usize = 4;
/// The length of an Ethernet header without them.
const ETHERNET: usize = 14;

/// The flag of TCP that says that the congestion window has been reduced, and where it is.
const CWR: u8 = 0x80;
const FLAGS: usize = 13;

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// The length of the Ethernet header.
pub fn ethernet(packet: &Packet) -> usize {
    let tags = (0..).take_while(|number| {
        let kind = word(&packet.bytes, ETHERNET - 2 + TAG * number);
        kind.is_some_and(|kind| TAGS.contains(&kind))
    });
    ETHERNET + TAG * tags.count()
}

/// Whether a packet is of the version of IP, and has the protocol, that a type is for. IPv6 may have
/// extension headers before the protocol.
pub fn is_of_type(packet: &Packet, kind: u8) -> bool {
    let start = ethernet(packet);
    let ip = packet.bytes.get(start..).unwrap_or_default();
    let protocol = match (word(&packet.bytes, start - 2), ip) {
        (Some(0x0800), [_, _, _, _, _, _, _, _, _, protocol, ..]) => (4, *protocol),
        (Some(0x86dd), [_, _, _, _, _, _, protocol, ..]) => (6, *protocol),
        _ => return false,
    };
    match kind {
        TCPV4 => protocol == (4, 6),
        TCPV6 => protocol.0 == 6 && protocol.1 != 17,
        UDP | UDP_L4 => protocol == (4, 17) || protocol.0 == 6 && protocol.1 != 6,
        _ => false,
    }
}

/// Whether a TCP packet says that the congestion window has been reduced.
pub fn is_reduced(packet: &Packet) -> bool {
    let is_tcp = matches!(packet.header.gso_type & !ECN, TCPV4 | TCPV6);
    let flags = usize::from(packet.header.csum_start) + FLAGS;
    is_tcp
        && packet
            .bytes
            .get(flags)
            .is_some_and(|flags| flags & CWR != 0)
}

/// The length of all headers of a packet, in bytes, if it has them.
pub fn headers(packet: &Packet) -> u16 {
    let start = packet.header.csum_start;
    let tcp = !matches!(packet.header.gso_type & !ECN, UDP | UDP_L4);
    let words = packet
        .bytes
        .get(usize::from(start) + 12)
        .map_or(0, |byte| byte >> 4);
    start.saturating_add(if tcp { 4 * u16::from(words) } else { 8 })
}
