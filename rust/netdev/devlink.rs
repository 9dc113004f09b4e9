// SPDX-License-Identifier: GPL-2.0

//! devlink: what a device is, and how it does, part by part.
//!
//! A network device on top of another one has an *instance* of devlink, by the name of that one (`virtio/virtio0`). It is there as
//! long as the network device is registered, and has a health *reporter* for each part of the device. A driver that finds a fault
//! [reports](Device::report) it. devlink notes that, keeps what is so at that time (`dump`), and has the driver mend it, unless the user
//! wants otherwise (`auto_recover`) or it has been mended too lately (`grace_period`).
//!
//! The callbacks have the lock of the instance. Locks are taken in this order: the device lock, the mutex here, that of the instance, rtnl, the
//! lock of the network device. So faults are reported without the rtnl lock, and no callback reports any.
//!
//! It has no port: udev would rename the interface.
//!
//! C header: [`include/net/devlink.h`](srctree/include/net/devlink.h).

mod info;
mod instance;
mod message;

pub(crate) use self::instance::{
    Instance,
    New,
    Slot, //
};
pub use self::{
    info::Info,
    message::{
        List,
        Message, //
    },
};

use self::instance::Noted;
use crate::{
    Device,
    Driver,
    Operations, //
};
use kernel::{
    fmt,
    prelude::*,
    str::{
        CStr,
        CString, //
    },
};

/// A part of a device whose health is reported.
pub struct Reporter<T: Driver> {
    /// What users call it.
    pub name: &'static CStr,
    /// Says how the part does. Process context, at any time while the network device is registered. May sleep.
    pub diagnose: fn(&Device<T>, &mut Message<'_>),
}

/// What has become of a report.
pub enum Reported {
    /// It is being mended, or that was tried.
    Mending,
    /// It is left as it is, since the user wants that, until the user has it mended.
    Left,
    /// It has been reported before.
    Known,
}

/// A driver that says what its device is, and how it does.
pub trait Devlink: Driver {
    /// What can be wrong with a device. Users read it.
    type Fault: fmt::Display;

    /// The parts of a device. Names differ.
    const REPORTERS: &'static [Reporter<Self>];

    /// Says what the device is (`devlink dev info`). Process context, at any time while the network device is registered. May sleep.
    ///
    /// # Errors
    ///
    /// What [`Info`] says.
    fn identify(device: &Device<Self>, info: &mut Info<'_>) -> Result;

    /// Begins to mend the device, because of a fault, or since a user says so who knows of one. When it is mended,
    /// [`Device::recovered`] is called; it may have to be begun again.
    ///
    /// Process context, without the rtnl lock. May sleep.
    ///
    /// # Errors
    ///
    /// Any: nothing has been begun.
    fn recover(device: &Device<Self>, fault: Option<&Self::Fault>) -> Result;
}

impl<T: Devlink> Operations<T> {
    /// There is an instance of devlink for a device that is on top of another one.
    pub const fn devlink(mut self) -> Self {
        self.devlink = Some(Instance::new::<T>);
        self
    }
}

impl<T: Devlink> Device<T> {
    /// Reports a fault of the part that has the number `reporter` among [`Devlink::REPORTERS`]. Has it mended, as [`Devlink::recover`]
    /// does, if the user lets it. A fault that is found again is not reported again, but it is begun again to mend it.
    ///
    /// Process context, without the rtnl lock. May sleep. C function: `devlink_health_report()`.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is no instance, or none yet; `EINVAL` if there is no such part; `ENOMEM`. Nothing has been done.
    pub fn report(&self, reporter: usize, fault: &T::Fault) -> Result<Reported> {
        let text = CString::try_from_fmt(fmt!("{fault}"))?;
        Ok(
            match self.context().devlink.report(reporter, &text, fault)? {
                Noted::Begun => Reported::Mending,
                Noted::Again => {
                    // What has been begun may have come to nothing. Whoever does it says so.
                    let _ = T::recover(self, Some(fault));
                    Reported::Known
                }
                Noted::Left => Reported::Left,
                Noted::LeftBefore => Reported::Known,
            },
        )
    }

    /// The device has been mended: whatever was wrong with any of its parts is not any more. Process context. May sleep.
    pub fn recovered(&self) {
        self.context().devlink.recovered();
    }

    /// Nothing is wrong with the part of this number, be it that it has come to rights by itself. Process context. May sleep.
    pub fn is_well(&self, reporter: usize) {
        self.context().devlink.is_well(reporter);
    }
}
