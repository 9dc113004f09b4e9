// SPDX-License-Identifier: GPL-2.0

//! The callbacks of ethtool.
//!
//! C header: [`include/linux/ethtool.h`](srctree/include/linux/ethtool.h)

mod channels;
mod coalesce;
mod link;
mod registers;
mod reset;
mod rings;
pub mod rss;
mod statistics;

pub use self::{
    channels::Channels,
    coalesce::{
        Coalesce,
        Coalescing,
        Moderation, //
    },
    link::{
        Link,
        LinkSettings, //
    },
    registers::Registers,
    reset::Reset,
    rings::{
        RingSizes,
        Rings, //
    },
    statistics::Counters, //
};

use crate::{
    bindings,
    Device,
    Driver,
    Locked, //
};
use core::marker::PhantomData;
use kernel::{
    prelude::*,
    str::CStr, //
};

/// The callbacks for the driver `T`; see [`crate::ops::Ops`] for when they are called.
pub(crate) struct EthtoolOps<T: Driver>(PhantomData<T>);

impl<T: Driver> EthtoolOps<T> {
    /// What each driver has.
    pub(crate) const OPS: bindings::ethtool_ops = bindings::ethtool_ops {
        get_drvinfo: Some(Self::get_drvinfo),
        // It waits for news of the link, which are taken over with the rtnl lock held.
        op_needs_rtnl: bindings::ETHTOOL_OP_NEEDS_RTNL_GLINK,
        get_link: Some(bindings::ethtool_op_get_link),
        get_ts_info: Some(bindings::ethtool_op_get_ts_info),
        ..pin_init::zeroed()
    };

    /// All that the driver has.
    pub(crate) const ALL: &'static bindings::ethtool_ops = &T::OPERATIONS.ethtool;

    /// The device that an operation is for which changes it.
    ///
    /// # Safety
    ///
    /// The stack calls for a registered device of `T`, and holds its lock for the lifetime, which is that of the call.
    unsafe fn locked<'a>(dev: *mut kernel::bindings::net_device) -> Locked<'a, T> {
        // SAFETY: By the requirement of this function. The kernel's crate declares the device as an opaque type.
        unsafe { Locked::assume(Device::from_raw(dev.cast())) }
    }

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
}

/// Fills `field` with `text`, cut off where the field ends, and with NULs from there to the end.
fn copy<const N: usize>(field: &mut [c_char; N], text: &CStr) {
    let mut bytes = text.to_bytes().iter().take(N - 1);
    for to in field {
        // CAST: `char` is a byte.
        *to = bytes.next().copied().unwrap_or(0) as c_char;
    }
}
