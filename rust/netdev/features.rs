// SPDX-License-Identifier: GPL-2.0

//! Features of a network device.

use crate::{
    bindings,
    ops::Ops,
    Device,
    Driver,
    Operations,
    SkBuff, //
};
use core::{
    mem::ManuallyDrop,
    ops::BitOr,
    ptr::NonNull, //
};
use kernel::{
    error::from_result,
    prelude::*, //
};

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
    /// `NETIF_F_TSO`: the device segments TCP over IPv4.
    pub const TSO: Self = Self::of(bindings::NETIF_F_TSO_BIT);
    /// `NETIF_F_TSO6`: the device segments TCP over IPv6.
    pub const TSO6: Self = Self::of(bindings::NETIF_F_TSO6_BIT);
    /// `NETIF_F_TSO_ECN`: also with explicit congestion notification.
    pub const TSO_ECN: Self = Self::of(bindings::NETIF_F_TSO_ECN_BIT);
    /// `NETIF_F_GSO_UDP_L4`: the device segments several UDP datagrams.
    pub const GSO_UDP_L4: Self = Self::of(bindings::NETIF_F_GSO_UDP_L4_BIT);
    /// `NETIF_F_GSO_UDP_TUNNEL`: the device segments what is in a UDP tunnel.
    pub const GSO_UDP_TUNNEL: Self = Self::of(bindings::NETIF_F_GSO_UDP_TUNNEL_BIT);
    /// `NETIF_F_GSO_UDP_TUNNEL_CSUM`: also with an outer checksum.
    pub const GSO_UDP_TUNNEL_CSUM: Self = Self::of(bindings::NETIF_F_GSO_UDP_TUNNEL_CSUM_BIT);
    /// `NETIF_F_GSO_ROBUST`: the device takes GSO packets of untrusted senders.
    pub const GSO_ROBUST: Self = Self::of(bindings::NETIF_F_GSO_ROBUST_BIT);
    /// `NETIF_F_HW_VLAN_CTAG_FILTER`: the device filters packets by their VLAN.
    pub(crate) const VLAN_FILTER: Self = Self::of(bindings::NETIF_F_HW_VLAN_CTAG_FILTER_BIT);
    /// `NETIF_F_GRO_HW`: the device leaves received packets unsegmented, or merges them.
    pub const GRO_HW: Self = Self::of(bindings::NETIF_F_GRO_HW_BIT);

    /// `NETIF_F_RXHASH`: the device says what the hash of a received packet is.
    pub const RXHASH: Self = Self::of(bindings::NETIF_F_RXHASH_BIT);

    /// Whether all of `other` are in this set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together, also in a constant.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn of(bit: u32) -> Self {
        Self(1 << bit)
    }

    /// The set of these bits (`NETIF_F_*`).
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits (`NETIF_F_*`).
    pub const fn bits(self) -> u64 {
        self.0
    }
}

impl BitOr for Features {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.and(other)
    }
}

/// A driver whose features can be turned on and off.
pub trait SetFeatures: Driver {
    /// Changes the features that are on from [`Device::features`] to `wanted`.
    ///
    /// `ndo_set_features`: process context, rtnl held, may sleep.
    ///
    /// # Errors
    ///
    /// Any; the features stay as they are.
    fn set_features(device: &Device<Self>, wanted: Features) -> Result;
}

/// A driver whose device has a feature for some packets only.
pub trait CheckFeatures: Driver {
    /// Which of `features` the device has for `skb`, which is about to be sent: what it cannot do the stack does before.
    ///
    /// `ndo_features_check`: softirq context, or process context with softirqs disabled.
    fn features_check(skb: &SkBuff, features: Features) -> Features;
}

impl<T: SetFeatures> Operations<T> {
    /// Features can be turned on and off.
    pub const fn set_features(mut self) -> Self {
        self.netdev.ndo_set_features = Some(Ops::<T>::set_features);
        self
    }
}

impl<T: CheckFeatures> Operations<T> {
    /// Some features depend on the packet.
    pub const fn check_features(mut self) -> Self {
        self.netdev.ndo_features_check = Some(Ops::<T>::features_check);
        self
    }
}

impl<T: SetFeatures> Ops<T> {
    /// `ndo_set_features`.
    ///
    /// # Safety
    ///
    /// See [`Ops`].
    unsafe extern "C" fn set_features(
        dev: *mut bindings::net_device,
        wanted: bindings::netdev_features_t,
    ) -> c_int {
        // SAFETY: See the type.
        let device = unsafe { Device::<T>::from_raw(dev) };
        from_result(|| {
            T::set_features(device, Features::from_bits(wanted))?;
            Ok(0)
        })
    }
}

impl<T: CheckFeatures> Ops<T> {
    /// `ndo_features_check`.
    ///
    /// # Safety
    ///
    /// `raw` is a valid packet, which stays with the stack.
    unsafe extern "C" fn features_check(
        raw: *mut bindings::sk_buff,
        _dev: *mut bindings::net_device,
        features: bindings::netdev_features_t,
    ) -> bindings::netdev_features_t {
        // SAFETY: By the requirement of this function. Nothing is dropped.
        let skb = unsafe { ManuallyDrop::new(SkBuff::from_raw(NonNull::new_unchecked(raw))) };
        T::features_check(&skb, Features::from_bits(features)).bits()
    }
}
