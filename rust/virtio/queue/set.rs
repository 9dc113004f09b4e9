// SPDX-License-Identifier: GPL-2.0

//! What the queues of a device share.

use super::{
    virtqueue::Callback,
    Interrupted,
    Request, //
};
use crate::{
    bindings,
    Attached,
    Feature, //
};
use core::{
    ffi::c_void,
    ptr::{
        null_mut,
        NonNull, //
    },
    sync::atomic::{
        AtomicBool,
        AtomicU32,
        Ordering::Relaxed, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        Arc,
        UniqueArc, //
    },
};

/// All virtqueues of a device. They exist until the last handle to any of them is gone.
///
/// # Invariants
///
/// From before the queues are found until after they are deleted, `priv` of the device points to
/// this.
pub(super) struct Set {
    device: Attached,
    requests: KVec<Request>,
    /// Whether the device was to be reset, and may be in use nevertheless.
    stuck: AtomicBool,
    /// How many buffers that one was left.
    abandoned: AtomicU32,
}

/// An `Arc` of what some [`Callback`] is called with.
pub(super) struct Target {
    pointer: NonNull<c_void>,
    release: unsafe fn(NonNull<c_void>),
    pub(super) interrupt: unsafe extern "C" fn(*mut bindings::virtqueue),
}

// SAFETY: It owns an `Arc` of a type that is `Send` and `Sync`.
unsafe impl Send for Target {}
// SAFETY: As above.
unsafe impl Sync for Target {}

impl Target {
    pub(super) fn new<C: Callback>(target: Arc<C::Target>) -> Self {
        /// # Safety
        ///
        /// `pointer` comes from an `Arc<T>`, and this is called once.
        unsafe fn release<T>(pointer: NonNull<c_void>) {
            // SAFETY: By the requirement of this function.
            drop(unsafe { Arc::from_raw(pointer.cast::<T>().as_ptr()) });
        }

        // SAFETY: `Arc::into_raw` does not return null.
        let pointer = unsafe { NonNull::new_unchecked(Arc::into_raw(target).cast_mut().cast()) };
        Self {
            pointer,
            release: release::<C::Target>,
            interrupt: interrupt::<C>,
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // SAFETY: `release` belongs to the type of `pointer`, and this is the only call.
        unsafe { (self.release)(self.pointer) }
    }
}

/// What the virtio core calls in the interrupt of a queue whose callback is `C`.
///
/// # Safety
///
/// `vq` belongs to a [`Set`], and the target of its request has been made for `C`.
unsafe extern "C" fn interrupt<C: Callback>(vq: *mut bindings::virtqueue) {
    // SAFETY: `vq` belongs to a set, which exists as long as there are interrupts.
    let Some(request) = (unsafe { Set::request_of(vq) }) else {
        return;
    };

    request.interrupted.set();
    if let Some(target) = &request.target {
        // SAFETY: By the requirement of this function; the set owns the `Arc`.
        let target = unsafe { target.pointer.cast::<C::Target>().as_ref() };
        C::done(target, &Interrupted::new(vq));
    }
}

impl Set {
    /// Takes the device's `priv`, so that interrupts find their targets.
    ///
    /// # Errors
    ///
    /// `EBUSY` if the device has queues already.
    pub(super) fn new(device: Attached, requests: KVec<Request>) -> Result<Arc<Self>> {
        let set = UniqueArc::new_uninit(GFP_KERNEL)?;
        if !device.claim_queues() {
            return Err(EBUSY);
        }
        let raw = device.as_raw();
        let set = Arc::from(set.write(Self {
            device,
            requests,
            stuck: AtomicBool::new(false),
            abandoned: AtomicU32::new(0),
        }));
        // SAFETY: The device is valid, and `priv` has been claimed. INVARIANT: No queue has been
        // found yet.
        unsafe { (*raw).priv_ = Arc::as_ptr(&set).cast_mut().cast() };
        Ok(set)
    }

    /// What was asked for as a queue.
    ///
    /// # Safety
    ///
    /// `vq` belongs to a [`Set`], which exists for the lifetime `'a`.
    pub(super) unsafe fn request_of<'a>(vq: *mut bindings::virtqueue) -> Option<&'a Request> {
        // SAFETY: `vq` and its device are valid. By the type invariant, `priv` points to a set,
        // which has a request for each queue, in the order of their indices.
        unsafe {
            let set = (*(*vq).vdev).priv_.cast::<Self>();
            (*set).requests.get((*vq).index as usize)
        }
    }

    pub(super) fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// See [`Virtqueue::has_indirect`](super::Virtqueue::has_indirect).
    pub(super) fn has_indirect(&self, index: u32) -> bool {
        let request = self.requests.get(index as usize);
        self.device.has(Feature::INDIRECT_DESC) && request.is_some_and(|request| !request.direct)
    }

    /// The most segments that a buffer can have in a ring of so many descriptors. The core warns of one with more.
    pub(super) fn max_segments(&self, index: u32, size: u32) -> usize {
        if self.has_indirect(index) {
            usize::MAX
        } else {
            size as usize
        }
    }

    pub(super) fn device(&self) -> &Attached {
        &self.device
    }

    /// See [`Device::reset`](crate::Device::reset): it is waited for once. Process context. May sleep.
    pub(super) fn reset(&self) -> bool {
        if self.stuck.load(Relaxed) {
            return false;
        }
        let is_reset = self.device.reset();
        self.stuck.store(!is_reset, Relaxed);
        is_reset
    }

    /// Notes that `count` buffers were [abandoned](dma::Buffer::abandon).
    pub(super) fn note_abandoned(&self, count: u32) {
        self.abandoned.fetch_add(count, Relaxed);
        self.device.note_abandoned(count);
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        let device = self.device.as_raw();

        let is_reset = self.reset();
        // An `Armed` may have been kept until its read-side section ends, see there.
        // SAFETY: This is process context, where the function may sleep. The device is valid and in reset, or what it may write to
        // stays allocated. No handle to a queue is left; the list of queues is empty if none has been found, and then there is nothing to delete.
        unsafe {
            bindings::synchronize_rcu();
            let queues = core::ptr::addr_of!((*device).vqs);
            if !core::ptr::eq((*queues).next, queues) {
                if !is_reset {
                    // The rings too: those that the core has from the allocator of pages.
                    bindings::virtio_device_get_ring_pages(device);
                }
                if let Some(del_vqs) = self.device.ops().del_vqs {
                    del_vqs(device);
                }
            }
            (*device).priv_ = null_mut();
        }
        self.device.release_queues();
        if !is_reset {
            dev_err!(
                self.device.as_ref(),
                "device does not come out of its reset: {} buffers, which it may write to, are never used again\n",
                self.abandoned.load(Relaxed)
            );
        }
    }
}
