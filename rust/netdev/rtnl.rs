// SPDX-License-Identifier: GPL-2.0

//! The lock of the network configuration.
//!
//! C header: [`include/linux/rtnetlink.h`](srctree/include/linux/rtnetlink.h)

use crate::bindings;
use core::marker::PhantomData;

/// The rtnl lock, held until the value is dropped.
///
/// The stack holds it where it opens, stops and configures a network device.
pub struct Guard {
    /// The lock is a mutex, which the thread that took it releases.
    not_send: PhantomData<*mut ()>,
}

/// Takes the rtnl lock. Process context. May sleep.
pub fn lock() -> Guard {
    // SAFETY: The function has no requirements that soundness depends on.
    unsafe { bindings::rtnl_lock() };
    Guard {
        not_send: PhantomData,
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // SAFETY: The lock is held, by this thread.
        unsafe { bindings::rtnl_unlock() }
    }
}
