// SPDX-License-Identifier: GPL-2.0

//! What the driver must keep to in receive and transmit queues.

use super::{
    gso::{self, ECN, TUNNELS, TUNNEL_CSUM, WITH},
    Judge,
};
use crate::{
    chain::Chain,
    features,
    header::{self, Packet, NEEDS_CSUM},
    terms::Terms,
};

/// Types of GSO packets, and the features that they need.
const TYPES: [(u8, u32); 4] = [
    (gso::TCPV4, features::HOST_TSO4),
    (gso::UDP, features::HOST_UFO),
    (gso::TCPV6, features::HOST_TSO6),
    (gso::UDP_L4, features::HOST_USO),
];
/// The longest packet, and the longest GSO packet, in bytes.
const LONGEST: usize = 1514;
const MAX_GSO_LEN: usize = 65_589;

const SENDING: &str = "5.1.6.2.1";
const BUFFERS: &str = "5.1.6.3.1";
const SPACE: &str = "5.1.4.2";
/// The length of an Ethernet header.
const ETHERNET: usize = 14;

impl Judge {
    /// Looks at a buffer for packets.
    pub fn see_buffer(&mut self, chain: &Chain, terms: &Terms) {
        let length = header::length(terms.accepted);
        let least = if terms.has(features::MRG_RXBUF) {
            length
        } else if terms.has_any(features::GUEST_GSO) {
            length + MAX_GSO_LEN
        } else if terms.has(features::MTU) {
            length + LONGEST.max(ETHERNET + usize::from(terms.space.mtu()))
        } else {
            length + LONGEST
        };
        self.check(chain.room() >= least, BUFFERS, || {
            format!("a receive buffer of {} bytes, not {least}", chain.room())
        });
        let all = chain.parts.iter().all(|part| part.writable);
        self.check(all, "5.1.6.3", || {
            "a receive buffer with parts to read".into()
        });
    }

    /// Looks at a buffer with a packet to be sent.
    pub fn see_packet(&mut self, chain: &Chain, packet: Option<&Packet>, terms: &Terms) {
        self.check(chain.room() == 0, "5.1.6.2", || {
            "a packet with parts to write".into()
        });
        let Some(packet) = packet else {
            return self.check(false, SENDING, || {
                "a packet that is shorter than its header".into()
            });
        };
        let header = &packet.header;
        if header.gso_type & !ECN == 0 && terms.has(features::MTU) {
            let most = gso::ethernet(packet) + usize::from(terms.space.mtu());
            self.check(packet.bytes.len() <= most, SPACE, || {
                format!("a packet of {} bytes, {most} at most", packet.bytes.len())
            });
        }
        let mut rule = |holds, what: &str| {
            self.check(holds, SENDING, || {
                format!("{what}: {header:?}, {} bytes", packet.bytes.len())
            });
        };
        rule(header.num_buffers == 0, "num_buffers is not 0");
        rule(
            header.hash_report == 0 && header.hash_value == 0,
            "there is a hash",
        );
        rule(
            header.flags & !(NEEDS_CSUM | TUNNEL_CSUM) == 0,
            "a flag that only a device may set",
        );
        rule(
            header.flags & NEEDS_CSUM == 0 || terms.has(features::CSUM),
            "a checksum is left to the device, which is not negotiated",
        );
        if header.flags & NEEDS_CSUM != 0 {
            let end = usize::from(header.csum_start) + usize::from(header.csum_offset) + 2;
            rule(
                end <= packet.bytes.len(),
                "the checksum is not in the packet",
            );
        } else {
            rule(
                header.csum_start == 0 && header.csum_offset == 0,
                "a checksum of nothing",
            );
        }
        if header.gso_type & TUNNELS != 0 {
            rule(
                terms.has(features::HOST_UDP_TUNNEL_GSO),
                "a tunnel, which is not negotiated",
            );
            rule(
                header.flags & TUNNEL_CSUM == 0 || terms.has(features::HOST_UDP_TUNNEL_GSO_CSUM),
                "a checksum of a tunnel, which is not negotiated",
            );
            let wrong = gso::wrong_tunnel(packet);
            rule(wrong.is_none(), wrong.unwrap_or_default());
        } else {
            rule(
                header.outer_th_offset == 0 && header.inner_nh_offset == 0,
                "places in a tunnel that is not there",
            );
            rule(
                header.flags & TUNNEL_CSUM == 0,
                "a checksum of a tunnel that is not there",
            );
        }
        if header.gso_type == 0 {
            return rule(header.gso_size == 0, "a size of segments and no type");
        }
        let kind = TYPES
            .iter()
            .find(|(kind, _)| *kind == header.gso_type & !WITH)
            .filter(|(_, feature)| terms.has(*feature));
        rule(kind.is_some(), "a type that is not negotiated");
        rule(
            header.gso_type & ECN == 0 || terms.has(features::HOST_ECN),
            "ECN, which is not negotiated",
        );
        rule(
            header.gso_type & ECN != 0 || !gso::is_reduced(packet),
            "a reduced window without ECN",
        );
        if let Some((kind, _)) = kind {
            rule(
                gso::is_of_type(packet, *kind),
                "a type that is not the packet's",
            );
        }
        rule(header.gso_size != 0, "segments without a size");
        rule(header.flags & NEEDS_CSUM != 0, "segments without checksums");
        let headers = gso::headers(packet);
        if terms.has(features::GUEST_HDRLEN) {
            rule(
                header.hdr_len == headers,
                "hdr_len is not the length of the headers",
            );
        } else {
            rule(
                header.hdr_len >= headers,
                "hdr_len is less than the headers",
            );
        }
    }
}
