// SPDX-License-Identifier: GPL-2.0

//! What `devlink dev info` shows.

use crate::bindings;
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    prelude::*,
    str::{
        CStr,
        CStrExt, //
    },
};

/// What is said of a device, besides the name of its driver.
///
/// # Invariants
///
/// The pointer is valid for the lifetime, and nobody else uses what it points to.
pub struct Info<'a>(NonNull<bindings::devlink_info_req>, PhantomData<&'a mut ()>);

impl Info<'_> {
    /// # Safety
    ///
    /// The pointer is valid for the lifetime, and nobody else uses what it points to.
    pub(super) unsafe fn new(raw: NonNull<bindings::devlink_info_req>) -> Self {
        // INVARIANT: By the requirement of this function.
        Self(raw, PhantomData)
    }

    /// A version that does not change. C function: `devlink_info_version_fixed_put()`.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if there is no room for it.
    pub fn fixed(&mut self, name: &CStr, value: &CStr) -> Result {
        // SAFETY: By the type invariant. Both are copied.
        to_result(unsafe {
            bindings::devlink_info_version_fixed_put(
                self.0.as_ptr(),
                name.as_char_ptr(),
                value.as_char_ptr(),
            )
        })
    }

    /// A version that is in use. C function: `devlink_info_version_running_put()`.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if there is no room for it.
    pub fn running(&mut self, name: &CStr, value: &CStr) -> Result {
        // SAFETY: As above.
        to_result(unsafe {
            bindings::devlink_info_version_running_put(
                self.0.as_ptr(),
                name.as_char_ptr(),
                value.as_char_ptr(),
            )
        })
    }
}
