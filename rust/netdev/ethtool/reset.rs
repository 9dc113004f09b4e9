// SPDX-License-Identifier: GPL-2.0

//! `ethtool --reset`.

use super::EthtoolOps;
use crate::{
    bindings,
    not_supported,
    Device,
    Driver,
    Operations, //
};
use kernel::{
    error::from_result,
    prelude::*, //
};

/// A driver whose device can be reset by hand, as a whole.
pub trait Reset: Driver {
    /// Has the device reset soon: not before this function has returned.
    ///
    /// `reset` of ethtool: process context, the device locked, may sleep.
    ///
    /// # Errors
    ///
    /// Any.
    fn reset(device: &Device<Self>) -> Result;
}

impl<T: Reset> Operations<T> {
    /// The device can be reset by hand.
    pub const fn reset(mut self) -> Self {
        self.ethtool.reset = Some(EthtoolOps::<T>::reset);
        self
    }
}

impl<T: Reset> EthtoolOps<T> {
    /// `reset`. What is asked for has to have all components of the device, which cannot be reset one by one; those that are
    /// shared with others are not.
    ///
    /// # Safety
    ///
    /// See the type. `flags` is valid for reads and writes.
    pub(super) unsafe extern "C" fn reset(
        dev: *mut kernel::bindings::net_device,
        flags: *mut u32,
    ) -> c_int {
        // SAFETY: See the type.
        let (device, flags) = unsafe { (Device::<T>::from_raw(dev.cast()), &mut *flags) };
        let own = bindings::ethtool_reset_flags_ETH_RESET_DEDICATED;
        from_result(|| {
            if *flags & own != own {
                return Err(not_supported());
            }
            T::reset(device)?;
            *flags &= !own;
            Ok(0)
        })
    }
}
