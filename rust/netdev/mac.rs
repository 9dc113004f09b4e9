// SPDX-License-Identifier: GPL-2.0

//! Changing the MAC address of a network device that is registered.

use crate::{
    bindings,
    ops::Ops,
    rtnl,
    Device,
    Driver,
    Operations, //
};
use core::ffi::c_void;
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    prelude::*, //
};

/// A driver whose MAC address can be changed.
pub trait SetMac: Driver {
    /// Tells the device its new MAC address, which is one that a station can have.
    ///
    /// `ndo_set_mac_address`: process context, rtnl held, may sleep. The interface may be up.
    ///
    /// # Errors
    ///
    /// Any; the address stays as it is.
    fn set_mac(device: &Device<Self>, address: [u8; 6], rtnl: &rtnl::Held) -> Result;
}

impl<T: SetMac> Operations<T> {
    /// The MAC address can be changed.
    pub const fn set_mac(mut self) -> Self {
        self.netdev.ndo_set_mac_address = Some(Ops::<T>::set_mac_address);
        self
    }
}

impl<T: SetMac> Ops<T> {
    /// `ndo_set_mac_address`.
    ///
    /// # Safety
    ///
    /// See [`Ops`]. `address` is a valid `struct sockaddr`.
    unsafe extern "C" fn set_mac_address(
        dev: *mut bindings::net_device,
        address: *mut c_void,
    ) -> c_int {
        // SAFETY: See the type. The locks are held.
        let (device, rtnl) = unsafe { Self::locked(dev) };
        from_result(|| {
            // SAFETY: The device is valid, and so is the address, which has room for one.
            let wanted = unsafe {
                to_result(bindings::eth_prepare_mac_addr_change(dev, address))?;
                let data = core::ptr::addr_of!((*address.cast::<bindings::sockaddr>()).sa_data);
                data.cast::<[u8; 6]>().read()
            };
            T::set_mac(&device, wanted, &rtnl)?;
            // SAFETY: As above.
            unsafe { bindings::eth_commit_mac_addr_change(dev, address) };
            Ok(0)
        })
    }
}
