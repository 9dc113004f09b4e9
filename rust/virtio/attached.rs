// SPDX-License-Identifier: GPL-2.0

//! A hold on a virtio device.

use crate::{
    bindings,
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
}

impl Anchor {
    /// An anchor for a device that is being bound.
    ///
    /// # Safety
    ///
    /// As for [`dma::Anchor::new`].
    pub(crate) unsafe fn new(device: &Device<Bound>) -> Result<Self> {
        // First, so that nothing can fail once there is something to release.
        let has_queues = Arc::new(AtomicBool::new(false), GFP_KERNEL)?;
        Ok(Self {
            // SAFETY: By the requirement of this function.
            anchor: unsafe { dma::Anchor::new(device.as_ref()) }?,
            has_queues,
        })
    }

    pub(crate) fn attach(&self) -> Attached {
        // INVARIANT: The anchor is that of a virtio device.
        Attached {
            hold: self.anchor.attach(),
            has_queues: self.has_queues.clone(),
        }
    }

    /// See [`dma::Anchor::release`].
    pub(crate) fn release(self, device: &Device<Bound>) {
        self.anchor.release(device.as_ref());
    }
}
