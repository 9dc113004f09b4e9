// SPDX-License-Identifier: GPL-2.0

//! The lock of the network configuration.
//!
//! C header: [`include/linux/rtnetlink.h`](srctree/include/linux/rtnetlink.h)

use crate::bindings;
use core::{
    cell::Cell,
    marker::PhantomData,
    ops::Deref, //
};

/// Proof that the rtnl lock is held by this thread, for as long as there is a reference to it.
///
/// The stack holds it where it opens, stops and configures a network device.
pub struct Held {
    /// The lock is a mutex, which the thread that took it releases.
    not_send: PhantomData<*mut ()>,
}

impl Held {
    /// # Safety
    ///
    /// This thread holds the lock for as long as the value lives.
    pub(crate) unsafe fn assume() -> Self {
        Self {
            not_send: PhantomData,
        }
    }
}

/// A value that is used with the rtnl lock held only.
pub struct Protected<T>(Cell<T>);

// SAFETY: The lock serialises, and hands the value from thread to thread.
unsafe impl<T: Send> Sync for Protected<T> {}

impl<T: Default> Protected<T> {
    /// Protects `value`.
    pub fn new(value: T) -> Self {
        Self(Cell::new(value))
    }

    /// Calls `f` with the value. Meanwhile the default is in its place.
    pub fn with<R>(&self, _rtnl: &Held, f: impl FnOnce(&mut T) -> R) -> R {
        let mut value = self.0.take();
        let result = f(&mut value);
        self.0.set(value);
        result
    }
}

/// The rtnl lock, held until the value is dropped.
pub struct Guard(Held);

/// Takes the rtnl lock. Process context. May sleep.
pub fn lock() -> Guard {
    // SAFETY: The function has no requirements that soundness depends on. The guard owns the lock.
    Guard(unsafe {
        bindings::rtnl_lock();
        Held::assume()
    })
}

impl Deref for Guard {
    type Target = Held;

    fn deref(&self) -> &Held {
        &self.0
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // SAFETY: The lock is held, by this thread.
        unsafe { bindings::rtnl_unlock() }
    }
}
