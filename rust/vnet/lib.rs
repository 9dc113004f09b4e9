// SPDX-License-Identifier: GPL-2.0

//! What belongs to virtio network devices alone: between the abstractions of the bus and those of network devices, which
//! do not know each other.
//!
//! It is the header before each packet (virtio 1.3, section 5.1.6), and packets with one on their way into and out of
//! virtqueues.
//!
//! C header: [`include/linux/virtio_net.h`](srctree/include/linux/virtio_net.h)

/// What log lines of this crate begin with; each crate needs one.
const __LOG_PREFIX: &[u8] = b"vnet_rust\0";

use netdev_bindings as bindings;

mod armed;
mod header;
mod packet;

pub use self::{
    armed::Armed,
    header::{
        deliver,
        Header, //
    },
    packet::{
        features_check,
        Packet, //
    },
};

use core::{
    mem::{
        offset_of,
        size_of, //
    },
    ops::BitOr, //
};
use netdev::{
    PoolBuffer,
    ETH_HLEN,
    VLAN_HLEN, //
};
use virtio::{
    Device,
    Feature, //
};

/// The longest header. Shorter ones are prefixes of it.
type RawHeader = bindings::virtio_net_hdr_v1_hash_tunnel;

/// The length of the header of a legacy device, and where the number of buffers is in others.
const NUM_BUFFERS: usize = offset_of!(bindings::virtio_net_hdr_mrg_rxbuf, num_buffers);

/// The length of a header with the number of buffers.
const WITH_NUM_BUFFERS: usize = size_of::<bindings::virtio_net_hdr_mrg_rxbuf>();

/// The length of a header with a hash.
const WITH_HASH: usize = size_of::<bindings::virtio_net_hdr_v1_hash>();

/// The length of a header with a hash and the offsets of a tunnel.
const WITH_TUNNEL: usize = size_of::<RawHeader>();

/// A set of ways in which a packet can be left uncut (the values of `gso_type`).
#[derive(Clone, Copy)]
pub struct GsoTypes(u16);

impl GsoTypes {
    /// None: each packet is as long as it is on the wire.
    pub const NONE: Self = Self(0);
    /// TCP over IPv4.
    pub const TCP_V4: Self = Self::of(bindings::VIRTIO_NET_HDR_GSO_TCPV4);
    /// TCP over IPv6.
    pub const TCP_V6: Self = Self::of(bindings::VIRTIO_NET_HDR_GSO_TCPV6);
    /// A UDP datagram to be cut into IP fragments (UFO).
    pub const UDP: Self = Self::of(bindings::VIRTIO_NET_HDR_GSO_UDP);
    /// Several UDP datagrams (USO).
    pub const UDP_L4: Self = Self::of(bindings::VIRTIO_NET_HDR_GSO_UDP_L4);
    /// TCP with explicit congestion notification, together with one of the TCP types.
    pub const ECN: Self = Self(1 << Self::ECN_BIT);

    const ECN_BIT: u32 = 15;

    /// What `gso_type` has beside the type.
    const FLAGS: u8 = (bindings::VIRTIO_NET_HDR_GSO_ECN
        | bindings::VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV4
        | bindings::VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV6) as u8;

    const fn of(gso_type: u32) -> Self {
        assert!(gso_type < Self::ECN_BIT);
        Self(1 << gso_type)
    }

    /// Whether `gso_type` of a header is in the set. Tunnels are not looked at.
    #[inline]
    fn has(self, gso_type: u8) -> bool {
        let kind = u32::from(gso_type & !Self::FLAGS);
        let ecn = u32::from(gso_type) & bindings::VIRTIO_NET_HDR_GSO_ECN != 0;
        kind < Self::ECN_BIT && self.0 >> kind & 1 == 1 && (!ecn || self.0 >> Self::ECN_BIT == 1)
    }
}

impl BitOr for GsoTypes {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What has been negotiated that the header depends on.
pub struct Negotiated {
    /// A received packet may be spread over several buffers.
    pub mergeable: bool,
    /// Received packets come with a hash.
    pub hash: bool,
    /// What may be received uncut.
    pub receive: GsoTypes,
    /// Uncut packets in a UDP tunnel may be received.
    pub receive_tunnel: bool,
    /// The outer checksum of such a packet may be partial.
    pub receive_tunnel_checksum: bool,
    /// Uncut packets in a UDP tunnel may be sent.
    pub send_tunnel: bool,
    /// The device relies on `hdr_len` of a packet that is sent to be the length of its headers.
    pub exact_header_len: bool,
}

/// How packets are framed: the form of the header, and what it may say.
#[derive(Clone, Copy)]
pub struct Framing {
    /// 10, 12, 20 or 24.
    len: u8,
    little_endian: bool,
    /// Whether the header may share a segment with the packet.
    any_layout: bool,
    /// Whether the header of a received packet has a hash.
    hash: bool,
    receive: GsoTypes,
    receive_tunnel: bool,
    receive_tunnel_checksum: bool,
    send_tunnel: bool,
    exact_header_len: bool,
}

impl Framing {
    /// The capacity of a short receive buffer, in bytes. It holds the longest frame of Ethernet, with a VLAN tag, behind
    /// the longest header; of 4 KiB a page is, two of them are cut from one, unless there are more than about 25
    /// fragments to an skb (`CONFIG_MAX_SKB_FRAGS`).
    pub const SHORT_BUFFER: u32 =
        PoolBuffer::capacity_for(WITH_TUNNEL as u32 + ETH_HLEN + VLAN_HLEN + 1500);

    /// The framing of `device`.
    pub fn new(device: &Device, negotiated: &Negotiated) -> Self {
        let modern = device.has(Feature::VERSION_1);
        let len = if negotiated.receive_tunnel || negotiated.send_tunnel {
            WITH_TUNNEL
        } else if negotiated.hash {
            WITH_HASH
        } else if negotiated.mergeable || modern {
            WITH_NUM_BUFFERS
        } else {
            NUM_BUFFERS
        };
        Self {
            // CAST: 24 at most.
            len: len as u8,
            little_endian: device.is_little_endian(),
            any_layout: modern || device.has(Feature::ANY_LAYOUT),
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
    #[expect(clippy::len_without_is_empty)]
    pub fn len(&self) -> u32 {
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
}
