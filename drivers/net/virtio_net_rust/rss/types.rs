// SPDX-License-Identifier: GPL-2.0

//! What is hashed of which packets (virtio 1.3, section 5.1.6.4.3.1).

use core::ops::{
    BitAnd,
    BitOr, //
};
use kernel::net::rss::{
    Flow,
    HashFields, //
};

/// A set of the hashes that a device can compute: bits `VIRTIO_NET_RSS_HASH_TYPE_*`.
///
/// A packet gets the hash of its ports if that is in the set, else the hash of its addresses if that
/// is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct HashTypes(u32);

impl HashTypes {
    pub(super) const NONE: Self = Self(0);
    const IPV4: Self = Self(1 << 0);
    const TCP_V4: Self = Self(1 << 1);
    const UDP_V4: Self = Self(1 << 2);
    const IPV6: Self = Self(1 << 3);
    const TCP_V6: Self = Self(1 << 4);
    const UDP_V6: Self = Self(1 << 5);

    /// Those of `bits` that the driver knows. As in C, these are not the ones that take the
    /// addresses from extension headers of IPv6.
    pub(super) fn from_bits(bits: u32) -> Self {
        Self(bits & (1 << 6) - 1)
    }

    pub(super) fn bits(self) -> u32 {
        self.0
    }

    /// The hash of the addresses, and that of the ports if there is one, of the packets of `flow`.
    fn of(flow: Flow) -> (Self, Self) {
        match flow {
            Flow::Ipv4 => (Self::IPV4, Self::NONE),
            Flow::TcpV4 => (Self::IPV4, Self::TCP_V4),
            Flow::UdpV4 => (Self::IPV4, Self::UDP_V4),
            Flow::Ipv6 => (Self::IPV6, Self::NONE),
            Flow::TcpV6 => (Self::IPV6, Self::TCP_V6),
            Flow::UdpV6 => (Self::IPV6, Self::UDP_V6),
        }
    }

    /// What is hashed of the packets of `flow`.
    pub(super) fn fields(self, flow: Flow) -> HashFields {
        let (addresses, ports) = Self::of(flow);
        if self & ports != Self::NONE {
            HashFields::AddressesAndPorts
        } else if self & addresses != Self::NONE {
            HashFields::Addresses
        } else {
            HashFields::Nothing
        }
    }

    /// The set with `fields` for the packets of `flow`, or `None` if those have no ports.
    ///
    /// The hash of the addresses is one for all packets of an IP version. So it comes and goes for
    /// the other flows too, as far as they have no hash of their ports.
    pub(super) fn with(self, flow: Flow, fields: HashFields) -> Option<Self> {
        let (addresses, ports) = Self::of(flow);
        let others = Self(self.0 & !(addresses | ports).0);
        match fields {
            HashFields::Nothing => Some(others),
            HashFields::Addresses => Some(others | addresses),
            HashFields::AddressesAndPorts => {
                (ports != Self::NONE).then_some(others | addresses | ports)
            }
        }
    }

    /// Whether all of this set are in `other`.
    pub(super) fn within(self, other: Self) -> bool {
        self & other == self
    }
}

impl BitOr for HashTypes {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for HashTypes {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}
