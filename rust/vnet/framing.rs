// SPDX-License-Identifier: GPL-2.0

//! How packets are framed, and what the header of a received one says as far as that is a matter of numbers.

use super::GsoTypes;
use crate::bindings;
use core::mem::{
    offset_of,
    size_of, //
};

/// The longest header. Shorter ones are prefixes of it.
pub(crate) type RawHeader = bindings::virtio_net_hdr_v1_hash_tunnel;

/// The length of the header of a legacy device, and where the number of buffers is in others.
pub(crate) const NUM_BUFFERS: usize = offset_of!(bindings::virtio_net_hdr_mrg_rxbuf, num_buffers);

/// The length of a header with the number of buffers.
pub(crate) const WITH_NUM_BUFFERS: usize = size_of::<bindings::virtio_net_hdr_mrg_rxbuf>();

/// The length of a header with a hash.
pub(crate) const WITH_HASH: usize = size_of::<bindings::virtio_net_hdr_v1_hash>();

/// The length of a header with a hash and the offsets of a tunnel.
pub(crate) const WITH_TUNNEL: usize = size_of::<RawHeader>();

/// What has been negotiated that the header depends on.
#[derive(Clone, Copy)]
pub struct Negotiated {
    /// A received packet may be spread over several buffers.
    pub mergeable: bool,
    /// Received packets come with a hash.
    pub hash: bool,
    /// What may be received as GSO packets.
    pub receive: GsoTypes,
    /// GSO packets in a UDP tunnel may be received.
    pub receive_tunnel: bool,
    /// The outer checksum of such a packet may be partial.
    pub receive_tunnel_checksum: bool,
    /// GSO packets in a UDP tunnel may be sent.
    pub send_tunnel: bool,
    /// The device relies on `hdr_len` of a packet that is sent to be the length of its headers.
    pub exact_header_len: bool,
}

/// What virtio itself has negotiated that the header depends on.
#[derive(Clone, Copy)]
pub(crate) struct Transport {
    /// The device is not a legacy one.
    pub(crate) modern: bool,
    pub(crate) little_endian: bool,
    /// Descriptors may be laid out in any way.
    pub(crate) any_layout: bool,
}

/// How packets are framed: the form of the header, and what it may say.
#[derive(Clone, Copy)]
pub struct Framing {
    /// 10, 12, 20 or 24.
    pub(crate) len: u8,
    pub(crate) little_endian: bool,
    /// How a field of the header has the value 1.
    one: u16,
    /// Whether the header may share a segment with the packet.
    pub(crate) any_layout: bool,
    /// Whether the header of a received packet has a hash.
    pub(crate) hash: bool,
    receive: GsoTypes,
    pub(crate) receive_tunnel: bool,
    pub(crate) receive_tunnel_checksum: bool,
    pub(crate) send_tunnel: bool,
    pub(crate) exact_header_len: bool,
}

impl Framing {
    pub(crate) fn of(transport: Transport, negotiated: &Negotiated) -> Self {
        let len = if negotiated.receive_tunnel || negotiated.send_tunnel {
            WITH_TUNNEL
        } else if negotiated.hash {
            WITH_HASH
        } else if negotiated.mergeable || transport.modern {
            WITH_NUM_BUFFERS
        } else {
            NUM_BUFFERS
        };
        Self {
            // CAST: 24 at most.
            len: len as u8,
            little_endian: transport.little_endian,
            one: if transport.little_endian {
                1u16.to_le()
            } else {
                1u16.to_be()
            },
            any_layout: transport.modern || transport.any_layout,
            hash: negotiated.hash,
            receive: negotiated.receive,
            receive_tunnel: negotiated.receive_tunnel,
            receive_tunnel_checksum: negotiated.receive_tunnel_checksum,
            send_tunnel: negotiated.send_tunnel,
            exact_header_len: negotiated.exact_header_len,
        }
    }

    /// The length of the header, in bytes: 10, 12, 20 or 24.
    #[inline]
    pub fn header_len(&self) -> u32 {
        self.len.into()
    }

    /// Whether the header may share a segment with the packet.
    pub fn any_layout(&self) -> bool {
        self.any_layout
    }

    /// The headroom in which a packet to be sent can carry its header, in bytes.
    pub fn needed_headroom(&self) -> u16 {
        if self.any_layout {
            self.len.into()
        } else {
            0
        }
    }

    /// The header of a packet that is sent, whose checksum the device is to complete: that of all bytes from `start` on, `offset` bytes
    /// behind that. Shorter headers are prefixes of it.
    pub(crate) fn with_checksum(&self, start: u16, offset: u16) -> [u8; WITH_TUNNEL] {
        const FLAGS: usize = offset_of!(bindings::virtio_net_hdr, flags);
        const START: usize = offset_of!(bindings::virtio_net_hdr, csum_start);
        const OFFSET: usize = offset_of!(bindings::virtio_net_hdr, csum_offset);

        let mut header = [0; WITH_TUNNEL];
        // CAST: It is one bit of eight.
        header[FLAGS] = bindings::VIRTIO_NET_HDR_F_NEEDS_CSUM as u8;
        header[START..START + 2].copy_from_slice(&self.bytes_of(start));
        header[OFFSET..OFFSET + 2].copy_from_slice(&self.bytes_of(offset));
        header
    }

    /// How a field of a header has `value`.
    fn bytes_of(&self, value: u16) -> [u8; 2] {
        if self.little_endian {
            value.to_le_bytes()
        } else {
            value.to_be_bytes()
        }
    }

    /// The number of buffers that the packet with this header takes. It is what the device says: any number.
    #[inline]
    pub(crate) fn num_buffers(&self, header: &RawHeader) -> u16 {
        let num_buffers = header.hash_hdr.hdr.num_buffers;
        if self.little_endian {
            u16::from_le(num_buffers)
        } else {
            u16::from_be(num_buffers)
        }
    }

    /// Whether the packet with this header takes one buffer only.
    #[inline]
    pub(crate) fn is_whole(&self, header: &RawHeader) -> bool {
        header.hash_hdr.hdr.num_buffers == self.one
    }

    /// Whether the packet with this header is a GSO packet of a type (`gso_type`) that has not been negotiated.
    #[inline]
    pub(crate) fn has_unnegotiated_gso(&self, header: &RawHeader) -> bool {
        let gso_type = header.hash_hdr.hdr.gso_type;
        u32::from(gso_type) != bindings::VIRTIO_NET_HDR_GSO_NONE && !self.receive.has(gso_type)
    }
}

/// The hash that a header of a framing that has one reports, and whether it is also of ports. None, or one that the device
/// was not told to report, is no hash.
///
/// C function: `virtio_skb_set_hash()`.
#[inline]
pub(crate) fn reported_hash(header: &bindings::virtio_net_hdr_v1_hash) -> Option<(u32, bool)> {
    let of_ports = match u32::from(u16::from_le(header.hash_report)) {
        bindings::VIRTIO_NET_HASH_REPORT_TCPv4
        | bindings::VIRTIO_NET_HASH_REPORT_UDPv4
        | bindings::VIRTIO_NET_HASH_REPORT_TCPv6
        | bindings::VIRTIO_NET_HASH_REPORT_UDPv6 => true,
        bindings::VIRTIO_NET_HASH_REPORT_IPv4 | bindings::VIRTIO_NET_HASH_REPORT_IPv6 => false,
        _ => return None,
    };
    let low = u16::from_le(header.hash_value_lo);
    let high = u16::from_le(header.hash_value_hi);
    Some((u32::from(high) << 16 | u32::from(low), of_ports))
}
