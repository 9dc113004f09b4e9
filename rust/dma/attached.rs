// SPDX-License-Identifier: GPL-2.0

//! Keeping a device bound for as long as something uses it.

use crate::bindings;
use core::{
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    device::{
        Bound,
        Device, //
    },
    prelude::*,
    sync::{
        Arc,
        Completion,
        Refcount, //
    },
};

/// A hold on a device that is bound to this driver: the unbinding waits until the last hold is
/// gone.
///
/// Whatever may touch the device outside of the callbacks of its bus owns one: each virtqueue, each
/// network device. So neither a forgotten nor a hidden handle can outlive the binding.
/// It blocks the unbinding instead, with a line in the log.
///
/// Cloning and dropping one is an atomic operation: not for the hot path.
pub struct Attached(Arc<Hold>);

/// # Invariants
///
/// `device` is bound to the driver until `released` is completed. `holders` is the number of
/// [`Attached`], and of the [`Anchor`] until that is released.
#[pin_data]
struct Hold {
    device: NonNull<bindings::device>,
    holders: Refcount,
    #[pin]
    released: Completion,
}

// SAFETY: A pointer to a device that is valid for as long as the value lives, and that any thread
// may use.
unsafe impl Send for Hold {}
// SAFETY: As above; `Device<Bound>` is `Sync`.
unsafe impl Sync for Hold {}

impl Hold {
    /// One holder is gone. Returns whether it was the last one.
    fn put(&self) -> bool {
        let last = self.holders.dec_and_test();
        if last {
            self.released.complete_all();
        }
        last
    }
}

impl Clone for Attached {
    fn clone(&self) -> Self {
        self.0.holders.inc();
        Self(self.0.clone())
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.0.put();
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
    /// The device.
    #[inline]
    pub fn as_raw(&self) -> *mut bindings::device {
        self.0.device.as_ptr()
    }
}

/// The bus' end of all the [`Attached`] of one binding.
pub struct Anchor(Arc<Hold>);

impl Anchor {
    /// An anchor for a device that is being bound.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    ///
    /// # Safety
    ///
    /// The device stays bound until [`Anchor::release`] has returned, which is called in any case.
    pub unsafe fn new(device: &Device<Bound>) -> Result<Self> {
        // INVARIANT: By the safety requirement of this function; the anchor is the one holder.
        let hold = pin_init!(Hold {
            // `Device` is a transparent wrapper.
            device: NonNull::from(device).cast(),
            holders: Refcount::new(1),
            released <- Completion::new(),
        });
        Ok(Self(Arc::pin_init(hold, GFP_KERNEL)?))
    }

    /// Another hold.
    pub fn attach(&self) -> Attached {
        self.0.holders.inc();
        Attached(self.0.clone())
    }

    /// Waits until no [`Attached`] is left. Process context. May sleep.
    pub fn release(self, device: &Device<Bound>) {
        if !self.0.put() {
            dev_warn!(
                device,
                "unbinding waits for a user of the device that the driver has not let go\n"
            );
        }
        self.0.released.wait_for_completion();
    }
}
