// SPDX-License-Identifier: GPL-2.0

//! What may be left unsegmented: GSO types (`gso_type`).

use crate::bindings;
use core::ops::BitOr;

/// A set of types of GSO packets (the values of `gso_type`).
#[derive(Clone, Copy)]
pub struct GsoTypes(u16);

impl GsoTypes {
    /// None: each packet is as long as it is on the wire.
    pub const NONE: Self = Self(0);
    /// TCP over IPv4.
    pub const TCP_V4: Self = Self::of(bindings::VIRTIO_NET_HDR_GSO_TCPV4);
    /// TCP over IPv6.
    pub const TCP_V6: Self = Self::of(bindings::VIRTIO_NET_HDR_GSO_TCPV6);
    /// A UDP datagram to be split into IP fragments (UFO).
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
    pub(crate) fn has(self, gso_type: u8) -> bool {
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
