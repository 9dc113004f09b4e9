// SPDX-License-Identifier: GPL-2.0

//! Keeping a device bound for as long as something uses it.

use crate::{
    bindings,
    Device, //
};
use core::{
    ops::Deref,
    ptr::NonNull,
    sync::atomic::{
        AtomicBool,
        Ordering, //
    },
};
use kernel::{
    device::Bound,
    prelude::*,
    sync::{
        Arc,
        Completion, //
    },
};

/// A hold on a device that is bound to this driver: the unbinding waits until the last hold is
/// gone.
///
/// Whatever may touch the device outside of the callbacks of its bus owns one: each virtqueue, each
/// registered network device. So neither a forgotten nor a hidden handle can outlive the binding.
/// It blocks the unbinding instead, with a line in the log.
///
/// Cloning and dropping one is an atomic operation: not for the hot path.
#[derive(Clone)]
pub struct Attached(Arc<Hold>);

/// # Invariants
///
/// `device` is bound to the driver until `released` is completed.
struct Hold {
    device: NonNull<bindings::virtio_device>,
    /// Whether the device has virtqueues. Its own `priv` cannot tell, since other drivers leave
    /// theirs behind.
    has_queues: AtomicBool,
    released: Arc<Completion>,
}

// SAFETY: A pointer to a device that is valid for as long as the value lives, and that any thread
// may use.
unsafe impl Send for Hold {}
// SAFETY: As above; `Device<Bound>` is `Sync`.
unsafe impl Sync for Hold {}

impl Drop for Hold {
    fn drop(&mut self) {
        self.released.complete_all();
    }
}

impl Deref for Attached {
    type Target = Device<Bound>;

    #[inline]
    fn deref(&self) -> &Device<Bound> {
        // SAFETY: By the invariant of `Hold` the device is bound for as long as `self` lives.
        // `Device` is a transparent wrapper.
        unsafe { self.0.device.cast().as_ref() }
    }
}

impl Attached {
    /// Whether this is a hold on `device`.
    pub fn is(&self, device: &Device<Bound>) -> bool {
        self.0.device.as_ptr() == device.as_raw()
    }

    /// Claims the device's virtqueues and its `priv`. Returns `false` if they are taken.
    pub(crate) fn claim_queues(&self) -> bool {
        !self.0.has_queues.swap(true, Ordering::Acquire)
    }

    /// Gives back what [`claim_queues`](Self::claim_queues) has claimed.
    pub(crate) fn release_queues(&self) {
        self.0.has_queues.store(false, Ordering::Release);
    }
}

/// The bus' end of all the [`Attached`] of one binding.
pub(crate) struct Anchor {
    hold: Arc<Hold>,
    released: Arc<Completion>,
}

impl Anchor {
    /// An anchor for a device that is being bound.
    ///
    /// # Safety
    ///
    /// The device stays bound until [`Anchor::release`] has returned, which is called in any case.
    pub(crate) unsafe fn new(device: &Device<Bound>) -> Result<Self> {
        let released = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        // INVARIANT: By the safety requirement of this function.
        let hold = Arc::new(
            Hold {
                device: NonNull::new(device.as_raw()).ok_or(EINVAL)?,
                has_queues: AtomicBool::new(false),
                released: released.clone(),
            },
            GFP_KERNEL,
        )?;
        Ok(Self { hold, released })
    }

    pub(crate) fn attach(&self) -> Attached {
        Attached(self.hold.clone())
    }

    /// Waits until no [`Attached`] is left. Process context. May sleep.
    pub(crate) fn release(self, device: &Device<Bound>) {
        if let Some(last) = Arc::into_unique_or_drop(self.hold) {
            drop(last);
        } else {
            dev_warn!(
                device,
                "unbinding waits for a user of the device that the driver has not let go\n"
            );
        }
        self.released.wait_for_completion();
    }
}
