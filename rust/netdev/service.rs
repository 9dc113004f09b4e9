// SPDX-License-Identifier: GPL-2.0

//! Work that a driver has done later, in process context.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use crate::{
    bindings,
    device::Context,
    Device,
    Driver,
    Operations, //
};
use kernel::{
    container_of,
    types::Opaque, //
};

/// The work of a network device, which calls [`Serviced::service`].
#[repr(transparent)]
pub(crate) struct Service(Opaque<bindings::delayed_work>);

impl Service {
    /// One that [`init`](Self::init) is called for next.
    pub(crate) fn new() -> Self {
        Self(Opaque::zeroed())
    }

    /// Sets it up, in its place. It is [disabled](Self::disable).
    ///
    /// # Safety
    ///
    /// `service` is that of a context of `T`, stays there, and has not been set up. The device is
    /// registered whenever it is enabled.
    pub(crate) unsafe fn init<T: Driver>(service: *const Self) {
        // SAFETY: By the requirements of this function.
        unsafe {
            bindings::init_delayed_work((*service).0.get(), Some(run::<T>));
            (*service).disable();
        }
    }

    /// Has it run as soon as possible, if it is enabled. Any context.
    pub(crate) fn schedule(&self) {
        // SAFETY: The work has been set up.
        unsafe { bindings::expedite_delayed_work(self.0.get()) };
    }

    /// Has it run after so many milliseconds, if it is enabled and is not going to run before. Any context.
    pub(crate) fn schedule_in(&self, msecs: u32) {
        // SAFETY: The work has been set up.
        unsafe { bindings::schedule_delayed_work_msecs(self.0.get(), msecs) };
    }

    /// Waits until it does not run, and has it not run until [`enable`](Self::enable) has been called
    /// as often as this. Process context, without the rtnl lock. May sleep.
    pub(crate) fn disable(&self) {
        // SAFETY: The work has been set up.
        unsafe { bindings::disable_delayed_work_sync(self.0.get()) };
    }

    /// Undoes [`disable`](Self::disable). Any context.
    pub(crate) fn enable(&self) {
        // SAFETY: The work has been set up.
        unsafe { bindings::enable_delayed_work(self.0.get()) };
    }
}

/// # Safety
///
/// `work` is that of the service of a context of `T`, whose device is registered.
unsafe extern "C" fn run<T: Driver>(work: *mut bindings::work_struct) {
    // SAFETY: By the requirement of this function.
    let device = unsafe {
        let delayed = container_of!(work, bindings::delayed_work, work);
        let service: *mut Service = delayed.cast();
        let context = container_of!(service, Context<T>, service);
        Device::<T>::from_raw((*context).dev)
    };
    if let Some(service) = T::OPERATIONS.service {
        service(device);
    }
}

/// A driver that has something done later, in process context.
pub trait Serviced: Driver {
    /// What [`Device::schedule_service`] has asked for: process context, may sleep.
    fn service(device: &Device<Self>);
}

impl<T: Serviced> Operations<T> {
    /// [`Device::schedule_service`] does something.
    pub const fn serviced(mut self) -> Self {
        self.service = Some(T::service);
        self
    }
}
