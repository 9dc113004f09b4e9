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
/// The device is null, or one for which memory can be mapped for as long as `attached`, which is there then, or another
/// hold on the same binding, exists.
#[derive(Clone, Copy)]
pub struct DmaDevice<'a> {
    raw: *mut bindings::device,
    attached: Option<&'a Attached>,
}

impl<'a> DmaDevice<'a> {
    /// # Safety
    ///
    /// `raw` is null, or a device for which memory can be mapped as long as the device of `attached` is bound.
    pub unsafe fn new(raw: *mut bindings::device, attached: &'a Attached) -> Self {
        // INVARIANT: By the requirement of this function.
        Self {
            raw,
            attached: Some(attached),
        }
    }

    /// None: what is lent is only accessed by the guest's CPUs.
    pub fn none() -> Self {
        // INVARIANT: It is null.
        Self {
            raw: core::ptr::null_mut(),
            attached: None,
        }
    }

    /// The device, or null.
    pub fn as_raw(&self) -> *mut bindings::device {
        self.raw
    }

    /// What keeps the device bound, if there is one.
    pub fn attached(&self) -> Option<&'a Attached> {
        self.attached
    }
}
