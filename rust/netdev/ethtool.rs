// SPDX-License-Identifier: GPL-2.0

//! The callbacks of ethtool.
//!
//! C header: [`include/linux/ethtool.h`](srctree/include/linux/ethtool.h)

mod coalesce;
mod link;
mod rings;
pub mod rss;
mod statistics;

pub use self::{
    coalesce::{
        Coalesce,
        Moderation, //
    },
    link::LinkSettings,
    rings::RingSizes, //
};

use crate::{
    bindings,
    rtnl,
    Device,
    Driver, //
};
use core::marker::PhantomData;
use kernel::{
    error::from_result,
    prelude::*,
    str::CStr, //
};

/// The callbacks for the driver `T`; see [`crate::ops::Ops`] for when they are called.
pub(crate) struct EthtoolOps<T: Driver>(PhantomData<T>);

impl<T: Driver> EthtoolOps<T> {
    pub(crate) const OPS: &'static bindings::ethtool_ops = &bindings::ethtool_ops {
        get_drvinfo: Some(Self::get_drvinfo),
        get_link: Some(bindings::ethtool_op_get_link),
        get_ts_info: Some(bindings::ethtool_op_get_ts_info),
        get_sset_count: Some(Self::get_sset_count),
        get_strings: Some(Self::get_strings),
        get_ethtool_stats: Some(Self::get_ethtool_stats),
        get_ringparam: Some(Self::get_ringparam),
        set_ringparam: Some(Self::set_ringparam),
        get_channels: Some(Self::get_channels),
        set_channels: Some(Self::set_channels),
        get_link_ksettings: Some(Self::get_link_ksettings),
        set_link_ksettings: Some(Self::set_link_ksettings),
        get_rx_ring_count: Some(Self::get_rx_ring_count),
        get_rxfh_indir_size: Some(Self::get_rxfh_indir_size),
        get_rxfh_key_size: Some(Self::get_rxfh_key_size),
        get_rxfh: Some(Self::get_rxfh),
        set_rxfh: Some(Self::set_rxfh),
        get_rxfh_fields: Some(Self::get_rxfh_fields),
        set_rxfh_fields: Some(Self::set_rxfh_fields),
        supported_coalesce_params: bindings::COALESCE_PARAMS,
        get_coalesce: Some(Self::get_coalesce),
        set_coalesce: Some(Self::set_coalesce),
        get_per_queue_coalesce: Some(Self::get_per_queue_coalesce),
        set_per_queue_coalesce: Some(Self::set_per_queue_coalesce),
        ..pin_init::zeroed()
    };

    /// `get_drvinfo`.
    ///
    /// # Safety
    ///
    /// See the type. `info` is valid for reads and writes.
    unsafe extern "C" fn get_drvinfo(
        dev: *mut kernel::bindings::net_device,
        info: *mut bindings::ethtool_drvinfo,
    ) {
        // SAFETY: The stack calls for a registered device of `T`, and passes a structure of its
        // own. The kernel's crate declares the device as an opaque type.
        let (device, out) = unsafe { (Device::<T>::from_raw(dev.cast()), &mut *info) };
        let info = T::info(device);
        copy(&mut out.driver, info.driver);
        copy(&mut out.version, info.version);
        copy(&mut out.bus_info, info.bus_info);
    }

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
        // SAFETY: As for `get_drvinfo`. The stack holds the rtnl lock during the call.
        let (device, wanted, held) = unsafe {
            let device = Device::<T>::from_raw(dev.cast());
            (device, &*channels, rtnl::Held::assume())
        };
        from_result(|| {
            if wanted.rx_count != 0 || wanted.tx_count != 0 || wanted.other_count != 0 {
                return Err(EINVAL);
            }
            let pairs = u16::try_from(wanted.combined_count)?;
            if pairs == 0 || pairs > device.max_queues() {
                return Err(EINVAL);
            }
            T::set_num_queues(device, pairs, &held)?;
            Ok(0)
        })
    }
}

/// Fills `field` with `text`, cut off where the field ends, and with NULs from there to the end.
fn copy<const N: usize>(field: &mut [c_char; N], text: &CStr) {
    let mut bytes = text.to_bytes().iter().take(N - 1);
    for to in field {
        // CAST: `char` is a byte.
        *to = bytes.next().copied().unwrap_or(0) as c_char;
    }
}
