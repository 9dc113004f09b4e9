// SPDX-License-Identifier: GPL-2.0

//! What there is in a GSO packet.

use crate::header::Packet;

/// `VIRTIO_NET_HDR_GSO_ECN`
pub const ECN: u8 = 0x80;
/// `VIRTIO_NET_HDR_GSO_TCPV4`, and so on.
pub const TCPV4: u8 = 1;
pub const UDP: u8 = 3;
pub const TCPV6: u8 = 4;
pub const UDP_L4: u8 = 5;

/// `VIRTIO_NET_HDR_F_UDP_TUNNEL_CSUM`: each segment gets a checksum of the tunnel's.
pub const TUNNEL_CSUM: u8 = 8;
/// `VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV4` and `_IPV6`: the packet is in a tunnel over that.
pub const TUNNEL4: u8 = 0x20;
pub const TUNNEL6: u8 = 0x40;
pub const TUNNELS: u8 = TUNNEL4 | TUNNEL6;
/// What may be with any type.
pub const WITH: u8 = ECN | TUNNELS;

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

/// The version of IP, the protocol, and where that begins, of a header of IP. IPv6 may have extension headers
/// before the protocol.
type Ip = (u8, u8, usize);

/// That at this place, which is of this version.
fn ip(version: u8, bytes: &[u8], start: usize) -> Option<Ip> {
    match (version, bytes.get(start..)?) {
        (4, [first, _, _, _, _, _, _, _, _, protocol, ..]) => {
            Some((4, *protocol, start + 4 * usize::from(first & 0xf)))
        }
        (6, [_, _, _, _, _, _, protocol, ..]) => Some((6, *protocol, start + 40)),
        _ => None,
    }
}

/// That behind the Ethernet header.
fn outer(packet: &Packet) -> Option<Ip> {
    let start = ethernet(packet);
    let version = match word(&packet.bytes, start - 2)? {
        0x0800 => 4,
        0x86dd => 6,
        _ => return None,
    };
    ip(version, &packet.bytes, start)
}

/// That in a tunnel, which need not be behind an Ethernet header.
fn inner(packet: &Packet) -> Option<Ip> {
    let start = packet.header.inner_nh_offset.into();
    ip(packet.bytes.get(start)? >> 4, &packet.bytes, start)
}

/// That of the packet that is to be segmented.
fn own(packet: &Packet) -> Option<Ip> {
    let is_in_tunnel = packet.header.gso_type & TUNNELS != 0;
    if is_in_tunnel {
        inner(packet)
    } else {
        outer(packet)
    }
}

/// The version of IP of the packet that is to be segmented, which may be in a tunnel.
pub fn version(packet: &Packet) -> Option<u8> {
    own(packet).map(|(version, ..)| version)
}

/// Whether a packet is of the version of IP, and has the protocol, that a type is for.
pub fn is_of_type(packet: &Packet, kind: u8) -> bool {
    let Some((version, protocol, _)) = own(packet) else {
        return false;
    };
    match kind {
        TCPV4 => (version, protocol) == (4, 6),
        TCPV6 => version == 6 && protocol != 17,
        UDP | UDP_L4 => (version, protocol) == (4, 17) || version == 6 && protocol != 6,
        _ => false,
    }
}

/// What is wrong with what a header says of the tunnel that the packet is in. The bits of the type are those of
/// the outer header, as in Linux; the text of virtio 1.4 has them be those of the inner one.
pub fn wrong_tunnel(packet: &Packet) -> Option<&'static str> {
    let header = &packet.header;
    let (outer, inner) = (outer(packet), inner(packet));
    let version = match header.gso_type & TUNNELS {
        TUNNEL4 => 4,
        TUNNEL6 => 6,
        _ => return Some("a tunnel of both kinds"),
    };
    let udp = usize::from(header.outer_th_offset);
    if header.gso_type & !WITH == UDP {
        return Some("fragments in a tunnel");
    }
    if outer.map(|(version, protocol, _)| (version, protocol)) != Some((version, 17)) {
        return Some("a tunnel of another kind than the packet's");
    }
    if outer.map(|(.., end)| end) != Some(udp) {
        return Some("outer_th_offset is not where the outer header is");
    }
    if !inner.is_some_and(|(version, _, end)| {
        let start = usize::from(header.csum_start);
        end == start || version == 6 && end < start
    }) {
        return Some("inner_nh_offset is not where the inner header is");
    }
    let sum = word(&packet.bytes, udp + 6);
    if header.flags & TUNNEL_CSUM == 0 && sum != Some(0) {
        return Some("a checksum around segments, which the device is not asked for");
    }
    None
}

/// Whether a TCP packet says that the congestion window has been reduced.
pub fn is_reduced(packet: &Packet) -> bool {
    let is_tcp = matches!(packet.header.gso_type & !WITH, TCPV4 | TCPV6);
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
    let tcp = !matches!(packet.header.gso_type & !WITH, UDP | UDP_L4);
    let words = packet
        .bytes
        .get(usize::from(start) + 12)
        .map_or(0, |byte| byte >> 4);
    start.saturating_add(if tcp { 4 * u16::from(words) } else { 8 })
}
