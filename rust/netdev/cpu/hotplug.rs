// SPDX-License-Identifier: GPL-2.0

//! A driver that is told when CPUs come and go.

use super::{
    Callback,
    Online, //
};
use crate::{
    ops::Ops,
    Device,
    Driver,
    Operations, //
};
use core::ffi::c_void;
use kernel::str::CStr;

/// A driver that is told when CPUs come and go.
pub trait Hotplug: Driver {
    /// A CPU has come, or is about to go; `online` are those that stay.
    ///
    /// Process context; may sleep, but must not take the rtnl lock or [`lock`](super::lock): somebody who
    /// holds them may be waiting. It may be called from before the registration succeeds, and until
    /// the device is unregistered.
    fn cpus_changed(device: &Device<Self>, online: &Online);
}

impl<T: Hotplug> Operations<T> {
    /// The driver is told when CPUs come and go, by a state of CPU hotplug that is called `name`: the subsystem, a slash, the
    /// driver, and after a colon when that is.
    pub const fn cpu_hotplug(mut self, name: &'static CStr) -> Self {
        self.cpus_changed = Some(Callback {
            name,
            changed: Ops::<T>::cpus_changed,
        });
        self
    }
}

impl<T: Hotplug> Ops<T> {
    /// The callback of the device's [`Instance`](super::Instance).
    ///
    /// # Safety
    ///
    /// `dev` is a device of `T` whose context is initialised.
    unsafe fn cpus_changed(dev: *mut c_void, online: &Online) {
        // SAFETY: By the requirement of this function.
        T::cpus_changed(unsafe { Device::<T>::from_raw(dev.cast()) }, online);
    }
}
