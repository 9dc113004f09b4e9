// SPDX-License-Identifier: GPL-2.0

//! The lock under which one network device is configured.
//!
//! It is the device's own (`dev->lock`) if the stack calls the operations of the device under that, which it does where a
//! driver manages queues for it, and the rtnl lock else: what C calls *ops protected*. The stack takes the rtnl lock first
//! where it holds both, as it does to open, stop and register a device.
//!
//! C header: [`include/net/netdev_lock.h`](srctree/include/net/netdev_lock.h)

use crate::{
    bindings,
    rtnl,
    Device,
    Driver, //
};
use core::{
    marker::PhantomData,
    ops::Deref, //
};

/// A network device of which this thread holds the lock, for as long as there is a reference to this.
///
/// That says nothing of the rtnl lock: what needs both says so with a [`rtnl::Held`] of its own.
pub struct Locked<'a, T: Driver> {
    device: &'a Device<T>,
    /// Both locks are mutexes, which the thread that took one releases.
    not_send: PhantomData<*mut ()>,
}

impl<'a, T: Driver> Locked<'a, T> {
    /// # Safety
    ///
    /// This thread holds the lock of the device for as long as the value lives.
    pub(crate) unsafe fn assume(device: &'a Device<T>) -> Self {
        Self {
            device,
            not_send: PhantomData,
        }
    }
}

impl<T: Driver> Deref for Locked<'_, T> {
    type Target = Device<T>;

    #[inline]
    fn deref(&self) -> &Device<T> {
        self.device
    }
}

/// The lock of a network device, held until the value is dropped.
pub struct Guard<'a, T: Driver>(Locked<'a, T>);

impl<T: Driver> Device<T> {
    /// Takes the lock of the device, with the rtnl lock held. Process context. May sleep. C function: `netdev_lock_ops()`.
    pub fn lock<'a>(&'a self, _rtnl: &'a rtnl::Held) -> Guard<'a, T> {
        // SAFETY: By the type invariant of the device. Where it is not a lock of its own it is the rtnl lock, which is held for
        // longer than the guard lives.
        Guard(unsafe {
            bindings::netdev_lock_ops(self.as_raw());
            Locked::assume(self)
        })
    }
}

impl<'a, T: Driver> Deref for Guard<'a, T> {
    type Target = Locked<'a, T>;

    fn deref(&self) -> &Locked<'a, T> {
        &self.0
    }
}

impl<T: Driver> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: The guard has taken it. Whether the device has a lock of its own is settled before it is registered.
        unsafe { bindings::netdev_unlock_ops(self.0.as_raw()) }
    }
}
