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
mod frame;
mod framing;
mod gso;
mod header;
mod packet;
mod skb;
mod xsk;

pub use self::{
    armed::Armed,
    framing::{
        Framing,
        Negotiated, //
    },
    gso::GsoTypes,
    header::{
        deliver,
        Header, //
    },
    packet::{
        Packet,
        Sent,
        SentFrame, //
    },
    skb::features_check,
    xsk::XskPacket, //
};

use framing::{
    RawHeader,
    Transport,
    NUM_BUFFERS,
    WITH_HASH,
    WITH_NUM_BUFFERS,
    WITH_TUNNEL, //
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

impl Framing {
    /// The capacity of a short receive buffer, in bytes. It holds the longest frame of Ethernet, with a VLAN tag, behind
    /// the longest header; of 4 KiB a page is, two of them are cut from one, unless there are more than about 25
    /// fragments to an skb (`CONFIG_MAX_SKB_FRAGS`).
    pub const SHORT_BUFFER: u32 =
        PoolBuffer::capacity_for(WITH_TUNNEL as u32 + ETH_HLEN + VLAN_HLEN + 1500);

    /// The framing of `device`.
    pub fn new(device: &Device, negotiated: &Negotiated) -> Self {
        let transport = Transport {
            modern: device.has(Feature::VERSION_1),
            little_endian: device.is_little_endian(),
            any_layout: device.has(Feature::ANY_LAYOUT),
        };
        Self::of(transport, negotiated)
    }
}
