// SPDX-License-Identifier: GPL-2.0

//! How long headers are, and what those of received packets say.

#[path = "../../../rust/vnet/framing.rs"]
#[allow(dead_code)]
mod source;

use crate::gso::GsoTypes;
use proptest::prelude::*;
use source::{reported_hash, Framing, Negotiated, RawHeader, Transport};

const NOTHING: Negotiated = Negotiated {
    mergeable: false,
    hash: false,
    receive: GsoTypes::NONE,
    receive_tunnel: false,
    receive_tunnel_checksum: false,
    send_tunnel: false,
    exact_header_len: false,
};

fn framing(modern: bool, little_endian: bool, negotiated: &Negotiated) -> Framing {
    let transport = Transport {
        modern,
        little_endian,
        any_layout: false,
    };
    Framing::of(transport, negotiated)
}

fn header(bytes: [u8; 2]) -> RawHeader {
    let mut header = RawHeader::default();
    header.hash_hdr.hdr.num_buffers = u16::from_ne_bytes(bytes);
    header
}

proptest! {
    /// Virtio 1.3, section 5.1.6: each field that is there lies behind those that are not always there.
    #[test]
    fn header_ends_behind_the_last_field(
        modern in any::<bool>(),
        mergeable in any::<bool>(),
        hash in any::<bool>(),
        receive_tunnel in any::<bool>(),
        send_tunnel in any::<bool>(),
    ) {
        let negotiated = Negotiated { mergeable, hash, receive_tunnel, send_tunnel, ..NOTHING };
        let mut end = 10;
        for (there, len) in [(modern || mergeable, 12), (hash, 20), (receive_tunnel || send_tunnel, 24)] {
            if there {
                end = len;
            }
        }
        let framing = framing(modern, true, &negotiated);
        prop_assert_eq!(framing.header_len(), end);
        prop_assert_eq!(framing.any_layout(), modern);
        prop_assert_eq!(u32::from(framing.needed_headroom()), if modern { end } else { 0 });
    }

    #[test]
    fn number_of_buffers_has_the_order_of_the_device(low in any::<u8>(), high in any::<u8>()) {
        let value = u16::from(high) << 8 | u16::from(low);
        prop_assert_eq!(framing(true, true, &NOTHING).num_buffers(&header([low, high])), value);
        prop_assert_eq!(framing(false, false, &NOTHING).num_buffers(&header([high, low])), value);
    }

    #[test]
    fn packet_of_one_buffer_is_whole(value in prop_oneof![0u16..3, Just(256), any::<u16>()]) {
        prop_assert_eq!(framing(true, true, &NOTHING).is_whole(&header(value.to_le_bytes())), value == 1);
        prop_assert_eq!(framing(false, false, &NOTHING).is_whole(&header(value.to_be_bytes())), value == 1);
    }

    /// Virtio 1.3, section 5.1.6.2: the flag, and where the checksum is; all else is 0.
    #[test]
    fn checksum_has_the_order_of_the_device(little in any::<bool>(), start in any::<u16>(), offset in any::<u16>()) {
        let bytes = |value: u16| if little { value.to_le_bytes() } else { value.to_be_bytes() };
        let mut wanted = vec![1, 0, 0, 0, 0, 0];
        wanted.extend(bytes(start));
        wanted.extend(bytes(offset));
        wanted.resize(24, 0);
        prop_assert_eq!(framing(little, little, &NOTHING).with_checksum(start, offset).to_vec(), wanted);
    }

    #[test]
    fn packets_that_are_whole_need_nothing(gso_type in any::<u8>()) {
        let mut header = RawHeader::default();
        header.hash_hdr.hdr.gso_type = gso_type;
        prop_assert_eq!(framing(true, true, &NOTHING).has_unnegotiated_gso(&header), gso_type != 0);
    }

    #[test]
    fn hash_of_a_type_that_is_known(report in prop_oneof![0u16..10, any::<u16>()], hash in any::<u32>()) {
        let mut header = RawHeader::default().hash_hdr;
        header.hash_report = report.to_le();
        header.hash_value_lo = (hash as u16).to_le();
        header.hash_value_hi = ((hash >> 16) as u16).to_le();
        let of_ports = [2, 3, 5, 6].contains(&report);
        let known = of_ports || [1, 4].contains(&report);
        prop_assert_eq!(reported_hash(&header), known.then_some((hash, of_ports)));
    }
}
