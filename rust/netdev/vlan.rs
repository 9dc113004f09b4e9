// SPDX-License-Identifier: GPL-2.0

//! Which VLANs a network device receives.

use crate::{
    bindings,
    ops::Ops,
    rtnl,
    Allocated,
    Device,
    Driver,
    Features,
    Operations, //
};
use kernel::{
    error::from_result,
    prelude::*, //
};

/// A driver whose device can be told which VLANs it is to receive.
pub trait VlanFilter: Driver {
    /// Has the device receive packets with the VLAN tag `vid` (IEEE 802.1Q), from 0 to 4095.
    ///
    /// `ndo_vlan_rx_add_vid`: process context, rtnl held, may sleep. Called only with
    /// [`filter_vlans`](crate::Allocated::filter_vlans).
    ///
    /// # Errors
    ///
    /// Any: whoever wants the VLAN does not get it.
    fn add_vlan(device: &Device<Self>, vid: u16, rtnl: &rtnl::Held) -> Result;

    /// Has the device receive no packets with the VLAN tag `vid` any more. As for
    /// [`add_vlan`](Self::add_vlan); `ndo_vlan_rx_kill_vid`.
    ///
    /// # Errors
    ///
    /// Any: a line in the log.
    fn remove_vlan(device: &Device<Self>, vid: u16, rtnl: &rtnl::Held) -> Result;
}

impl<T: VlanFilter> Operations<T> {
    /// VLANs can be filtered, by devices for which [`Allocated::filter_vlans`] is called.
    pub const fn vlan_filter(mut self) -> Self {
        self.netdev.ndo_vlan_rx_add_vid = Some(Ops::<T>::add_vlan);
        self.netdev.ndo_vlan_rx_kill_vid = Some(Ops::<T>::remove_vlan);
        self
    }
}

impl<T: VlanFilter> Ops<T> {
    /// `ndo_vlan_rx_add_vid`.
    ///
    /// # Safety
    ///
    /// See [`Ops`].
    unsafe extern "C" fn add_vlan(
        dev: *mut bindings::net_device,
        _protocol: bindings::__be16,
        vid: u16,
    ) -> c_int {
        // SAFETY: See the type. The rtnl lock is held, and that of the device need not be.
        let (device, rtnl) = unsafe { (Device::<T>::from_raw(dev), rtnl::Held::assume()) };
        from_result(|| {
            T::add_vlan(device, vid, &rtnl)?;
            Ok(0)
        })
    }

    /// `ndo_vlan_rx_kill_vid`.
    ///
    /// # Safety
    ///
    /// See [`Ops`].
    unsafe extern "C" fn remove_vlan(
        dev: *mut bindings::net_device,
        _protocol: bindings::__be16,
        vid: u16,
    ) -> c_int {
        // SAFETY: See the type. The rtnl lock is held, and that of the device need not be.
        let (device, rtnl) = unsafe { (Device::<T>::from_raw(dev), rtnl::Held::assume()) };
        from_result(|| {
            T::remove_vlan(device, vid, &rtnl)?;
            Ok(0)
        })
    }
}

impl<T: VlanFilter> Allocated<T> {
    /// Says that the device receives only packets of VLANs that it has been told, see
    /// [`VlanFilter::add_vlan`].
    pub fn filter_vlans(&mut self) {
        self.fields().features |= Features::VLAN_FILTER.bits();
    }
}
