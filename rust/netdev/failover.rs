// SPDX-License-Identifier: GPL-2.0

//! Failover: a device that stands by for another NIC of the same MAC address.
//!
//! The kernel's `net_failover` puts a master above the two, which users configure. Packets take the way of the
//! other NIC, the primary, while there is one, and else that of the standby. The primary comes and goes as it likes, before a
//! migration for instance.
//!
//! C header: [`include/net/net_failover.h`](srctree/include/net/net_failover.h).

use crate::{
    bindings,
    Allocated,
    Driver, //
};
use core::ptr::NonNull;
use dma::fault;
use kernel::{
    error::from_err_ptr,
    prelude::*, //
};

/// Whether the kernel has `net_failover`. It is loaded, if that can be.
///
/// Process context, without the rtnl lock. May sleep.
pub fn is_available() -> bool {
    // SAFETY: The function has no requirements.
    unsafe { bindings::failover_available() }
}

/// A master of `net_failover`. Dropping it unregisters the master, and lets go of its slaves: process context, takes the rtnl lock,
/// may sleep.
///
/// # Invariants
///
/// The pointer is one that `failover_create()` has returned, and this is its owner.
pub(crate) struct Failover(NonNull<bindings::failover>);

// SAFETY: What it points to is not tied to a thread.
unsafe impl Send for Failover {}
// SAFETY: Nothing is done through a shared reference.
unsafe impl Sync for Failover {}

impl Drop for Failover {
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::failover_destroy(self.0.as_ptr()) }
    }
}

impl<T: Driver> Allocated<T> {
    /// Makes the device, once it is registered, the standby of a master, which is registered now. The master takes over the MAC
    /// address and the range of the MTU, so these have been set. It stays as long as the device.
    ///
    /// The master may be up by the time when the device is registered: then it opens the device at once, before what is to be done
    /// [when it is registered](Self::register).
    ///
    /// Process context, without the rtnl lock. May sleep. C function: `net_failover_create()`.
    ///
    /// # Errors
    ///
    /// `EBUSY` if it has a master; `ENOENT` if [there is no `net_failover`](is_available); `ENOMEM`; what registering the
    /// master says.
    pub fn stand_by(&mut self) -> Result {
        if self.failover.is_some() {
            return Err(EBUSY);
        }
        fault::point("failover")?;
        // SAFETY: The device is valid, and so is the one below it, if any. `Drop` removes the master before
        // either goes.
        let failover = from_err_ptr(unsafe { bindings::failover_create(self.as_raw()) })?;
        // INVARIANT: It has just been created.
        self.failover = Some(Failover(NonNull::new(failover).ok_or(ENOENT)?));
        Ok(())
    }
}
