// SPDX-License-Identifier: GPL-2.0

//! What an interface is called.

use crate::bindings;
use kernel::{
    fmt,
    str::CStr, //
};

const SIZE: usize = bindings::IFNAMSIZ as usize;

/// What an interface is called, as it was at some point: for messages.
///
/// A copy, since the name may change at any time. The stack renames an interface with the rtnl lock held, and
/// readers of its own that must not see it half done retry by a sequence lock, which modules have no access to:
/// `netdev_copy_name()` is not exported. So of an interface that is renamed right then this may be a part of either
/// name, as it may be in what `netdev_info()` prints.
///
/// # Invariants
///
/// The last byte is 0.
#[derive(Clone, Copy)]
pub struct Name([u8; SIZE]);

impl Name {
    /// # Safety
    ///
    /// `dev` is valid.
    pub(crate) unsafe fn of(dev: *const bindings::net_device) -> Self {
        // SAFETY: By the requirement of this function.
        let from = unsafe { core::ptr::addr_of!((*dev).name) }.cast::<u8>();
        let mut name = [0; SIZE];
        for (i, byte) in name.iter_mut().take(SIZE - 1).enumerate() {
            // SAFETY: The array has `SIZE` bytes, any of which may change at any time.
            *byte = unsafe { from.add(i).read_volatile() };
        }
        // INVARIANT: The last byte has been left out.
        Self(name)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // By the type invariant there is an end.
        let name = CStr::from_bytes_until_nul(&self.0).unwrap_or_default();
        fmt::Display::fmt(name, f)
    }
}
