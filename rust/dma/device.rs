// SPDX-License-Identifier: GPL-2.0

//! The device that does DMA for a queue.

use crate::{
    bindings,
    Attached, //
};

/// The device that does DMA for a queue, or none if the queue takes guest-physical addresses.
///
/// # Invariants
///
/// The device is null, or one for which memory can be mapped for as long as `attached`, or another hold on the same
/// binding, exists.
#[derive(Clone, Copy)]
pub struct DmaDevice<'a> {
    raw: *mut bindings::device,
    attached: &'a Attached,
}

impl<'a> DmaDevice<'a> {
    /// # Safety
    ///
    /// `raw` is null, or a device for which memory can be mapped as long as the device of `attached` is bound.
    pub unsafe fn new(raw: *mut bindings::device, attached: &'a Attached) -> Self {
        // INVARIANT: By the requirement of this function.
        Self { raw, attached }
    }

    /// A device class that copies packets, and has nothing mapped. `attached` is the device that it is on top of.
    pub fn none(attached: &'a Attached) -> Self {
        // INVARIANT: It is null.
        Self {
            raw: core::ptr::null_mut(),
            attached,
        }
    }

    /// The device, or null.
    pub fn as_raw(&self) -> *mut bindings::device {
        self.raw
    }

    /// What keeps the device bound.
    pub fn attached(&self) -> &'a Attached {
        self.attached
    }
}
