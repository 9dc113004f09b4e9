// SPDX-License-Identifier: GPL-2.0

//! What is said of the health of a part: names and values, in objects and lists.

use crate::bindings;
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::str::{
    CStr,
    CStrExt, //
};

/// An object that is being written.
///
/// Whatever goes wrong, devlink keeps the first error, and tells it to whoever has asked.
///
/// # Invariants
///
/// The pointer is valid for the lifetime, and nobody else uses what it points to.
pub struct Message<'a>(NonNull<bindings::devlink_fmsg>, PhantomData<&'a mut ()>);

impl Message<'_> {
    /// # Safety
    ///
    /// The pointer is valid for the lifetime, and nobody else uses what it points to.
    pub(super) unsafe fn new(raw: NonNull<bindings::devlink_fmsg>) -> Self {
        // INVARIANT: By the requirement of this function.
        Self(raw, PhantomData)
    }

    /// Has a number.
    pub fn number(&mut self, name: &CStr, value: u64) {
        // SAFETY: By the type invariant. Names and values are copied.
        unsafe {
            bindings::devlink_fmsg_u64_pair_put(self.0.as_ptr(), name.as_char_ptr(), value);
        }
    }

    /// Has a text.
    pub fn text(&mut self, name: &CStr, value: &CStr) {
        // SAFETY: As above.
        unsafe {
            bindings::devlink_fmsg_string_pair_put(
                self.0.as_ptr(),
                name.as_char_ptr(),
                value.as_char_ptr(),
            );
        }
    }

    /// Has a list.
    pub fn list(&mut self, name: &CStr, write: impl FnOnce(&mut List<'_, '_>)) {
        // SAFETY: As above.
        unsafe {
            bindings::devlink_fmsg_arr_pair_nest_start(self.0.as_ptr(), name.as_char_ptr());
        }
        write(&mut List(self));
        // SAFETY: As above.
        unsafe { bindings::devlink_fmsg_arr_pair_nest_end(self.0.as_ptr()) };
    }
}

/// A list that is being written.
pub struct List<'a, 'b>(&'a mut Message<'b>);

impl List<'_, '_> {
    /// Has an object.
    pub fn object(&mut self, write: impl FnOnce(&mut Message<'_>)) {
        // SAFETY: By the type invariant of the message.
        unsafe { bindings::devlink_fmsg_obj_nest_start(self.0 .0.as_ptr()) };
        write(self.0);
        // SAFETY: As above.
        unsafe { bindings::devlink_fmsg_obj_nest_end(self.0 .0.as_ptr()) };
    }
}
