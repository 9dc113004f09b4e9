// SPDX-License-Identifier: GPL-2.0

//! The speed of the link: the first lines of `ethtool NAME`, and `ethtool -s`.

use super::EthtoolOps;
use crate::{
    bindings,
    Device,
    Driver,
    Locked,
    Operations, //
};
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    prelude::*, //
};

/// How fast the link is, as far as that is known.
#[derive(Clone, Copy)]
pub struct LinkSettings {
    speed: u32,
    duplex: u8,
}

impl LinkSettings {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self {
        // CAST: The value that is a constant of type `int` in C, as an unsigned one.
        speed: bindings::SPEED_UNKNOWN as u32,
        // CAST: It is 255.
        duplex: bindings::DUPLEX_UNKNOWN as u8,
    };

    /// As a number, that [`from_bits`](Self::from_bits) understands.
    pub fn bits(self) -> u64 {
        u64::from(self.duplex) << 32 | u64::from(self.speed)
    }

    /// Undoes [`bits`](Self::bits).
    pub fn from_bits(bits: u64) -> Self {
        // CAST: Speed and duplex are where `bits` has put them.
        Self::new(bits as u32, (bits >> 32) as u8)
    }

    /// A link of `speed` Mbit/s, with half duplex (0) or full duplex (1). Other values, and a speed
    /// above `i32::MAX`, stand for what is not known.
    pub fn new(speed: u32, duplex: u8) -> Self {
        let mut settings = Self::UNKNOWN;
        if i32::try_from(speed).is_ok() {
            settings.speed = speed;
        }
        if let bindings::DUPLEX_HALF | bindings::DUPLEX_FULL = u32::from(duplex) {
            settings.duplex = duplex;
        }
        settings
    }
}

/// A driver that knows how fast the link is.
pub trait Link: Driver {
    /// How fast the link is. Process context, the device locked.
    fn link_settings(device: &Device<Self>) -> LinkSettings;

    /// Changes what [`link_settings`](Self::link_settings) says, until the device says otherwise.
    ///
    /// `set_link_ksettings` of ethtool: process context, the device locked, may sleep.
    fn set_link_settings(device: &Locked<'_, Self>, settings: LinkSettings);
}

impl<T: Link> Operations<T> {
    /// How fast the link is can be asked for.
    pub const fn link(mut self) -> Self {
        self.ethtool.get_link_ksettings = Some(EthtoolOps::<T>::get_link_ksettings);
        self.ethtool.set_link_ksettings = Some(EthtoolOps::<T>::set_link_ksettings);
        self
    }
}

impl<T: Link> EthtoolOps<T> {
    /// `get_link_ksettings`.
    ///
    /// # Safety
    ///
    /// See the type. `settings` is valid for reads and writes.
    pub(super) unsafe extern "C" fn get_link_ksettings(
        dev: *mut kernel::bindings::net_device,
        settings: *mut bindings::ethtool_link_ksettings,
    ) -> c_int {
        // SAFETY: See the type. The stack passes a zeroed structure.
        let (device, out) = unsafe { (Device::<T>::from_raw(dev.cast()), &mut *settings) };
        let link = T::link_settings(device);
        out.base.speed = link.speed;
        out.base.duplex = link.duplex;
        // CAST: It is 255.
        out.base.port = bindings::PORT_OTHER as u8;
        0
    }

    /// `set_link_ksettings`: changes what is shown, for a link that has no speed of its own.
    ///
    /// # Safety
    ///
    /// See the type. `settings` is valid for reads.
    pub(super) unsafe extern "C" fn set_link_ksettings(
        dev: *mut kernel::bindings::net_device,
        settings: *const bindings::ethtool_link_ksettings,
    ) -> c_int {
        // SAFETY: See the type. The stack holds the lock of the device during the call.
        let device = unsafe { Self::locked(dev) };
        from_result(|| {
            let LinkSettings {
                mut speed,
                mut duplex,
            } = LinkSettings::UNKNOWN;
            // SAFETY: All pointers are valid. The function refuses everything but these two, and
            // values of them that cannot be.
            to_result(unsafe {
                bindings::ethtool_virtdev_set_link_ksettings(dev, settings, &mut speed, &mut duplex)
            })?;
            T::set_link_settings(&device, LinkSettings { speed, duplex });
            Ok(0)
        })
    }
}
