// SPDX-License-Identifier: GPL-2.0

//! Features of a network device.

use crate::bindings;
use core::ops::BitOr;

/// A set of `NETIF_F_*` features.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Features(u64);

impl Features {
    /// No feature.
    pub const NONE: Self = Self(0);
    /// `NETIF_F_SG`: an skb may have fragments.
    pub const SG: Self = Self::of(bindings::NETIF_F_SG_BIT);
    /// `NETIF_F_HW_CSUM`: the device completes any checksum.
    pub const HW_CSUM: Self = Self::of(bindings::NETIF_F_HW_CSUM_BIT);
    /// `NETIF_F_HIGHDMA`: fragments may lie in high memory.
    pub const HIGHDMA: Self = Self::of(bindings::NETIF_F_HIGHDMA_BIT);
    /// `NETIF_F_RXCSUM`: the device checks checksums of received packets.
    pub const RXCSUM: Self = Self::of(bindings::NETIF_F_RXCSUM_BIT);

    const fn of(bit: u32) -> Self {
        Self(1 << bit)
    }

    pub(crate) const fn bits(self) -> u64 {
        self.0
    }
}

impl BitOr for Features {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
