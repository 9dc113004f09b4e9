// SPDX-License-Identifier: GPL-2.0

//! A hold on a virtio device.

use crate::{
    bindings,
    recovery::{
        Asked,
        Recovery, //
    },
    Device, //
};
use core::{
    ops::Deref,
    sync::atomic::{
        AtomicBool,
        Ordering, //
    },
};
use kernel::{
    container_of,
    device::Bound,
    prelude::*,
    sync::Arc, //
};

/// A hold on a virtio device that is bound to this driver: see [`dma::Attached`].
///
/// # Invariants
///
/// It is a hold on a virtio device.
#[derive(Clone)]
pub struct Attached {
    hold: dma::Attached,
    /// Whether the device has virtqueues. Its own `priv` cannot tell, since other drivers leave
    /// theirs behind.
    has_queues: Arc<AtomicBool>,
    recovery: Arc<Recovery>,
}

impl Deref for Attached {
    type Target = Device<Bound>;

    #[inline]
    fn deref(&self) -> &Device<Bound> {
        // SAFETY: By the type invariant it is a virtio device, which is bound for as long as `self` lives.
        // `Device` is a transparent wrapper.
        unsafe { &*container_of!(self.hold.as_raw(), bindings::virtio_device, dev).cast() }
    }
}

impl From<Attached> for dma::Attached {
    fn from(attached: Attached) -> Self {
        attached.hold
    }
}

impl Attached {
    /// Whether this is a hold on `device`.
    pub fn is(&self, device: &Device<Bound>) -> bool {
        self.as_raw() == device.as_raw()
    }

    /// Asks for a reset of the device, after which it is taken into use again: [`Driver::freeze`](crate::Driver::freeze) and
    /// [`Driver::restore`](crate::Driver::restore) are called, soon, or after a pause if it has been reset lately. See
    /// [`Asked`] for what comes of it.
    ///
    /// Process context. May sleep.
    pub fn request_reset(&self) -> Asked {
        self.recovery.request()
    }

    /// As [`request_reset`](Self::request_reset), for somebody who knows what that is: all that has failed before is forgiven, and a
    /// device that had been given up is tried again.
    pub fn request_reset_by_hand(&self) -> Asked {
        self.recovery.request_by_hand()
    }

    /// Whether a reset has been asked for that has not begun. Any context.
    pub fn is_reset_pending(&self) -> bool {
        self.recovery.is_pending()
    }

    /// How many buffers were left to the device, never to be used again, since it did not come out of a reset. Any context.
    pub fn abandoned(&self) -> u64 {
        self.recovery.abandoned()
    }

    pub(crate) fn note_abandoned(&self, count: u32) {
        self.recovery.note_abandoned(count);
    }

    /// The hold, without what it is a hold on.
    pub(crate) fn hold(&self) -> &dma::Attached {
        &self.hold
    }

    /// Claims the device's virtqueues and its `priv`. Returns `false` if they are taken.
    pub(crate) fn claim_queues(&self) -> bool {
        !self.has_queues.swap(true, Ordering::Acquire)
    }

    /// Gives back what [`claim_queues`](Self::claim_queues) has claimed.
    pub(crate) fn release_queues(&self) {
        self.has_queues.store(false, Ordering::Release);
    }
}

/// The bus' end of all the [`Attached`] of one binding.
pub(crate) struct Anchor {
    anchor: dma::Anchor,
    has_queues: Arc<AtomicBool>,
    recovery: Arc<Recovery>,
}

impl Anchor {
    /// An anchor for a device that is being bound.
    ///
    /// # Safety
    ///
    /// As for [`dma::Anchor::new`] and [`Recovery::new`].
    pub(crate) unsafe fn new(
        device: &Device<Bound>,
        recover: unsafe fn(*mut bindings::virtio_device) -> Result,
    ) -> Result<Self> {
        // First, so that nothing can fail once there is something to release.
        let has_queues = Arc::new(AtomicBool::new(false), GFP_KERNEL)?;
        // SAFETY: By the requirement of this function.
        let recovery = unsafe { Recovery::new(device, recover) }?;
        Ok(Self {
            // SAFETY: By the requirement of this function.
            anchor: unsafe { dma::Anchor::new(device.as_ref()) }?,
            has_queues,
            recovery,
        })
    }

    /// When the device is reset.
    pub(crate) fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    pub(crate) fn attach(&self) -> Attached {
        // INVARIANT: The anchor is that of a virtio device.
        Attached {
            hold: self.anchor.attach(),
            has_queues: self.has_queues.clone(),
            recovery: self.recovery.clone(),
        }
    }

    /// See [`dma::Anchor::release`].
    pub(crate) fn release(self, device: &Device<Bound>) {
        self.anchor.release(device.as_ref());
    }
}
