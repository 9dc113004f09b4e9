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
    direct: bool,
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
            direct: false,
        }
    }

    /// A device that stands for a queue that takes guest-physical addresses, where something has to be mapped for a
    /// device. What is mapped may be lent only if its DMA address is the guest-physical one.
    ///
    /// # Safety
    ///
    /// `raw` is a device for which nobody else maps memory, and memory can be as long as the device of `attached` is bound.
    pub unsafe fn direct(raw: *mut bindings::device, attached: &'a Attached) -> Self {
        // INVARIANT: By the requirement of this function.
        Self {
            raw,
            attached: Some(attached),
            direct: true,
        }
    }

    /// None: what is lent is only accessed by the guest's CPUs.
    pub fn none() -> Self {
        // INVARIANT: It is null.
        Self {
            raw: core::ptr::null_mut(),
            attached: None,
            direct: false,
        }
    }

    /// The device, or null.
    pub fn as_raw(&self) -> *mut bindings::device {
        self.raw
    }

    /// Whether only what is mapped one to one may be lent, see [`direct`](Self::direct).
    pub fn is_direct(&self) -> bool {
        self.direct
    }

    /// What keeps the device bound, if there is one.
    pub fn attached(&self) -> Option<&'a Attached> {
        self.attached
    }

    /// The same for longer than what it was borrowed from.
    pub fn hold(&self) -> HeldDmaDevice {
        // INVARIANT: By the type invariant, and the hold goes along.
        HeldDmaDevice {
            raw: self.raw,
            attached: self.attached.cloned(),
            direct: self.direct,
        }
    }
}

/// A [`DmaDevice`], with a hold on it.
///
/// # Invariants
///
/// As of a [`DmaDevice`].
pub struct HeldDmaDevice {
    raw: *mut bindings::device,
    attached: Option<Attached>,
    direct: bool,
}

// SAFETY: The device is one that any thread may map memory for, and is there as long as `attached`.
unsafe impl Send for HeldDmaDevice {}
// SAFETY: As above.
unsafe impl Sync for HeldDmaDevice {}

impl HeldDmaDevice {
    /// The device.
    pub fn get(&self) -> DmaDevice<'_> {
        // INVARIANT: By the type invariant.
        DmaDevice {
            raw: self.raw,
            attached: self.attached.as_ref(),
            direct: self.direct,
        }
    }
}
