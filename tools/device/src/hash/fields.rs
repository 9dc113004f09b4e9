// SPDX-License-Identifier: GPL-2.0

//! What a packet is hashed by.

use super::Kind;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// Types of the tags of VLANs.
const TAGS: [u16; 2] = [0x8100, 0x88a8];
/// Where the type of an Ethernet frame is.
const TYPE: usize = 12;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// The addresses and ports of a packet.
#[derive(Default)]
pub struct Fields<'a> {
    source: &'a [u8],
    target: &'a [u8],
    /// Those of IPv6's extension headers, if it has any: the same as above if they have none.
    extended: Option<(&'a [u8], &'a [u8])>,
    /// TCP or UDP, and both ports.
    ports: Option<(u8, &'a [u8])>,
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

impl<'a> Fields<'a> {
    /// Those of an Ethernet frame, if it has any.
    pub fn of(frame: &'a [u8]) -> Option<Self> {
        let mut at = TYPE;
        while TAGS.contains(&word(frame, at)?) {
            at += 4;
        }
        let packet = &frame[at + 2..];
        match word(frame, at)? {
            IPV4 => Self::of_ipv4(packet),
            IPV6 => Self::of_ipv6(packet),
            _ => None,
        }
    }

    /// All of a datagram's fragments have the hash of its addresses: only the first has ports.
    fn of_ipv4(packet: &'a [u8]) -> Option<Self> {
        let length = 4 * usize::from(packet.first()? & 0xf);
        let is_fragment = word(packet, 6)? & 0x3fff != 0;
        let protocol = *packet.get(9)?;
        Some(Self {
            source: packet.get(12..16)?,
            target: packet.get(16..20)?,
            ports: ports(protocol, packet.get(length..)?).filter(|_| !is_fragment),
            ..Self::default()
        })
    }

    fn of_ipv6(packet: &'a [u8]) -> Option<Self> {
        let mut fields = Self {
            source: packet.get(8..24)?,
            target: packet.get(24..40)?,
            ..Self::default()
        };
        let (mut home, mut routed) = (fields.source, fields.target);
        let (mut next, mut rest) = (*packet.get(6)?, &packet[40..]);
        let (mut is_extended, mut is_fragment) = (false, false);
        while let Some(extension) = Extension::of(next, rest) {
            is_extended = true;
            home = extension.home().unwrap_or(home);
            routed = extension.routed().unwrap_or(routed);
            is_fragment |= extension.is_fragment();
            next = extension.bytes[0];
            rest = &rest[extension.bytes.len()..];
        }
        fields.extended = is_extended.then_some((home, routed));
        fields.ports = ports(next, rest).filter(|_| !is_fragment);
        Some(fields)
    }

    /// What it can be hashed as, the first that the driver has chosen.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> {
        let protocol = self.ports.map(|(protocol, _)| protocol);
        let one = |tcp, udp, addresses| {
            let ports = match protocol {
                Some(TCP) => Some(tcp),
                Some(_) => Some(udp),
                None => None,
            };
            ports.into_iter().chain([addresses])
        };
        let extended = self
            .extended
            .map(|_| one(Kind::TcpV6Ex, Kind::UdpV6Ex, Kind::Ipv6Ex));
        let plain = if self.source.len() == 4 {
            one(Kind::TcpV4, Kind::UdpV4, Kind::Ipv4)
        } else {
            one(Kind::TcpV6, Kind::UdpV6, Kind::Ipv6)
        };
        extended.into_iter().flatten().chain(plain)
    }

    /// What is hashed.
    pub fn bytes(&self, kind: Kind) -> Vec<u8> {
        let plain = (self.source, self.target);
        let (source, target) = match kind {
            Kind::Ipv6Ex | Kind::TcpV6Ex | Kind::UdpV6Ex => self.extended.unwrap_or(plain),
            _ => plain,
        };
        let ports = match kind {
            Kind::Ipv4 | Kind::Ipv6 | Kind::Ipv6Ex => None,
            _ => self.ports,
        };
        [source, target, ports.map_or(&[], |(_, ports)| ports)].concat()
    }
}

/// The protocol and both ports, if it has ports.
fn ports(protocol: u8, transport: &[u8]) -> Option<(u8, &[u8])> {
    let is_known = matches!(protocol, TCP | UDP);
    Some((protocol, transport.get(..4)?)).filter(|_| is_known)
}

/// An extension header of IPv6.
struct Extension<'a> {
    kind: u8,
    bytes: &'a [u8],
}

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
const MOBILITY: u8 = 135;

/// The type of a routing header that has an address only.
const ROUTED: u8 = 2;
/// Options: one byte of nothing, and where the packet's sender is at home.
const PAD: u8 = 0;
const HOME: u8 = 201;

impl<'a> Extension<'a> {
    /// The one at the beginning of `rest`, if there is one.
    fn of(kind: u8, rest: &'a [u8]) -> Option<Self> {
        let length = usize::from(*rest.get(1)?);
        let length = match kind {
            HOP_BY_HOP | ROUTING | DESTINATION | MOBILITY => 8 * (length + 1),
            FRAGMENT => 8,
            AUTHENTICATION => 4 * (length + 2),
            _ => return None,
        };
        let bytes = rest.get(..length)?;
        Some(Self { kind, bytes })
    }

    fn is_fragment(&self) -> bool {
        self.kind == FRAGMENT && word(self.bytes, 2).is_some_and(|offset| offset & 0xfff9 != 0)
    }

    /// The address of a routing header of type 2.
    fn routed(&self) -> Option<&'a [u8]> {
        let is_routed = self.kind == ROUTING && self.bytes[2] == ROUTED;
        self.bytes.get(8..24).filter(|_| is_routed)
    }

    /// The address of a home address option.
    fn home(&self) -> Option<&'a [u8]> {
        if self.kind != DESTINATION {
            return None;
        }
        let mut options = &self.bytes[2..];
        loop {
            match options {
                [PAD, rest @ ..] => options = rest,
                [HOME, 16, rest @ ..] => return rest.get(..16),
                [_, length, rest @ ..] => options = rest.get(usize::from(*length)..)?,
                _ => return None,
            }
        }
    }
}
