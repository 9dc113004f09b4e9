// SPDX-License-Identifier: GPL-2.0

//! `ethtool -l` and `ethtool -L`: how many queues are used.

use super::EthtoolOps;
use crate::{
    bindings,
    rtnl,
    Device,
    Driver,
    Locked,
    Operations, //
};
use kernel::{
    error::from_result,
    prelude::*, //
};

/// A driver whose number of queues can be changed.
pub trait Channels: Driver {
    /// Changes the number of queues of either direction that are used to `pairs`, which is from 1
    /// to as many as there are: tells the device, and calls [`Locked::set_num_queues`].
    ///
    /// `set_channels` of ethtool: process context, both locks held, may sleep.
    ///
    /// # Errors
    ///
    /// Any; everything is as before.
    fn set_num_queues(device: &Locked<'_, Self>, pairs: u16, rtnl: &rtnl::Held) -> Result;
}

impl<T: Channels> Operations<T> {
    /// The number of queues can be changed.
    pub const fn channels(mut self) -> Self {
        self.ethtool.get_channels = Some(EthtoolOps::<T>::get_channels);
        self.ethtool.set_channels = Some(EthtoolOps::<T>::set_channels);
        self.ethtool.op_needs_rtnl |= bindings::ETHTOOL_OP_NEEDS_RTNL_SCHANNELS;
        self
    }
}

impl<T: Channels> EthtoolOps<T> {
    /// `get_channels`: a channel is a pair of queues.
    ///
    /// # Safety
    ///
    /// See the type. `channels` is valid for reads and writes.
    unsafe extern "C" fn get_channels(
        dev: *mut kernel::bindings::net_device,
        channels: *mut bindings::ethtool_channels,
    ) {
        // SAFETY: As for `get_drvinfo`. The stack passes a zeroed structure.
        let (device, out) = unsafe { (Device::<T>::from_raw(dev.cast()), &mut *channels) };
        out.combined_count = device.num_queues().into();
        out.max_combined = device.max_queues().into();
    }

    /// `set_channels`.
    ///
    /// # Safety
    ///
    /// See the type. `channels` is valid for reads.
    unsafe extern "C" fn set_channels(
        dev: *mut kernel::bindings::net_device,
        channels: *mut bindings::ethtool_channels,
    ) -> c_int {
        // SAFETY: As for `get_drvinfo`. The stack holds both locks during the call.
        let (device, wanted, rtnl) =
            unsafe { (Self::locked(dev), &*channels, rtnl::Held::assume()) };
        from_result(|| {
            if wanted.rx_count != 0 || wanted.tx_count != 0 || wanted.other_count != 0 {
                return Err(EINVAL);
            }
            let pairs = u16::try_from(wanted.combined_count)?;
            if pairs == 0 || pairs > device.max_queues() {
                return Err(EINVAL);
            }
            T::set_num_queues(&device, pairs, &rtnl)?;
            Ok(0)
        })
    }
}
