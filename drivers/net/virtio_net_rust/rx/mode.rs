// SPDX-License-Identifier: GPL-2.0

//! The buffer modes: how a packet is received.
//!
//! | mode      | when                                        | a buffer is                                             |
//! |-----------|---------------------------------------------|---------------------------------------------------------|
//! | mergeable | the device can merge buffers                | short, or a whole page; a packet takes any number       |
//! | chained   | else, if GSO packets may be received, or    | as many pages as the longest packet needs (C: "big")    |
//! |           | the device's MTU does not fit into a page   |                                                         |
//! | small     | else                                        | short, or a whole page; one for a packet                |
//!
//! A buffer of the first and the last mode has 64 bytes in front of what is lent, and room for `struct
//! skb_shared_info` behind. So any of them can become an skb where it is (`napi_build_skb`). A short one holds a
//! frame of Ethernet behind the longest header: half a page of 4 KiB, with larger pages a smaller part, and all of
//! one where `CONFIG_MAX_SKB_FRAGS` has the kernel keep so much room that nothing less does. It is computed when
//! the driver is built, which fails if a frame does not fit. Such a frame takes one allocation and no copy. There
//! is no length between half a page and a whole one, since a page would hold only one buffer of it. In the
//! mergeable mode the moving average of packet lengths decides between the two, and the longest packet must fit
//! into the ring. Where a packet has more buffers than an skb has fragments, the rest goes to skbs in its
//! `frag_list`.
//!
//! Except in the small mode, a packet of up to 128 bytes is copied, as with C. The buffer goes back to the pool at
//! once, or stays in its chain, and the packet holds no page while it waits in a socket or for further IP
//! fragments, whose limits count memory. A buffer of the small mode is not much longer than a packet, and C keeps
//! it too.
//!
//! In the small mode a buffer has the size for the largest MTU, since those that are lent stay as they are when the
//! MTU is raised. Where the device does not say what its largest MTU is, it is what a short one holds (1622 or more
//! with pages of 4 KiB; C takes any, and the device then drops what does not fit).

use crate::{
    config,
    features,
    offloads, //
};
use kernel::{
    net::{
        Chain,
        PoolBuffer,
        ETH_HLEN,
        VLAN_HLEN, //
    },
    prelude::*,
    virtio::Device, //
    vnet::Framing,
};

/// The largest MTU that the stack knows (`ETH_MAX_MTU`), in bytes.
const MAX_MTU: u32 = 65535;

/// The longest GSO packet that is received, without its Ethernet header, in bytes: an IPv6
/// header, and the most that its length field can say.
const MAX_GSO_LEN: u32 = 40 + 65535;

/// How packets are received from a device.
pub(crate) struct Mode {
    kind: Kind,
    /// The MTU that the device gives, in bytes.
    pub(crate) device_mtu: Option<u32>,
    /// The largest MTU that can be received, in bytes.
    pub(crate) max_mtu: u32,
    /// The longest frame that the device takes, without VLAN tags, in bytes.
    pub(crate) longest_sent: u32,
    /// The longest packet that can be received, with the virtio header, in bytes.
    pub(super) longest: u32,
}

/// What a receive buffer is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A short buffer or a whole page, which holds a packet.
    Small,
    /// As many pages as a packet can need ("big").
    Chained,
    /// A short buffer or a whole page; the device spreads a packet over several of them.
    Mergeable,
}

impl Mode {
    /// The mode for `device`.
    ///
    /// Process context. May sleep. C function: `virtnet_set_big_packets()`.
    ///
    /// # Errors
    ///
    /// `EIO` if the configuration cannot be read.
    pub(crate) fn of(device: &Device<kernel::device::Bound>, framing: &Framing) -> Result<Self> {
        let around = framing.header_len() + ETH_HLEN + VLAN_HLEN;
        let device_mtu = if device.has(features::MTU) {
            Some(u32::from(device.read_config(&config::MTU)?))
        } else {
            None
        };
        let gso = offloads::receives_gso(device);

        let kind = if device.has(features::MRG_RXBUF) {
            Kind::Mergeable
        } else if gso || device_mtu.is_some_and(|mtu| mtu > PoolBuffer::WHOLE_PAGE - around) {
            Kind::Chained
        } else {
            Kind::Small
        };
        // What is lent stays so when the MTU is raised. So a small buffer has the size for the
        // largest one: the device's, or what costs no more than Ethernet's does.
        let max_mtu = device_mtu.unwrap_or(if kind == Kind::Small {
            Framing::SHORT_BUFFER - around
        } else {
            MAX_MTU
        });
        let longest = if gso {
            MAX_GSO_LEN.max(max_mtu)
        } else {
            max_mtu
        };
        const { assert!(MAX_MTU + MAX_GSO_LEN < 2 * Chain::MAX_CAPACITY) };
        Ok(Self {
            kind,
            device_mtu,
            max_mtu,
            longest_sent: device_mtu.map_or(u32::MAX, |mtu| mtu + ETH_HLEN),
            longest: longest + around,
        })
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether the device merges buffers.
    pub(crate) fn is_mergeable(&self) -> bool {
        self.kind == Kind::Mergeable
    }

    /// Whether a receive queue keeps a word of context beside each buffer.
    pub(crate) fn has_context(&self) -> bool {
        self.kind != Kind::Chained
    }
}
