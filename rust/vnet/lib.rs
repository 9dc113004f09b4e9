// SPDX-License-Identifier: GPL-2.0

//! What belongs to virtio network devices alone: between the abstractions of the bus and those of network devices, which
//! do not know each other.
//!
//! It is the header before each packet (virtio 1.3, section 5.1.6), and packets with one on their way into and out of
//! virtqueues.
//!
//! C header: [`include/linux/virtio_net.h`](srctree/include/linux/virtio_net.h)
//!
//! What has been negotiated about the header and about GSO packets is one value, [`Framing`]. It says how long the
//! header is (10, 12, 20 or 24 bytes), in which byte order, and which GSO types the device may use. A header with
//! any other is an error of the packet. Whether the fields of a header agree with the packet is checked by the
//! kernel's own functions, which mark the packet so that the stack looks again before it is forwarded.

/// What log lines of this crate begin with; each crate needs one.
const __LOG_PREFIX: &[u8] = b"vnet_rust\0";

use netdev_bindings as bindings;

mod armed;
mod gso;
mod header;
mod packet;

pub use self::{
    armed::Armed,
    gso::GsoTypes,
    header::{
        deliver,
        Header, //
    },
    packet::{
        features_check,
        Packet, //
    },
};

use core::mem::{
    offset_of,
    size_of, //
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

/// What has been negotiated that the header depends on.
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
