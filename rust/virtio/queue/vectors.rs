// SPDX-License-Identifier: GPL-2.0

//! The interrupt vectors of virtqueues.
//!
//! [`Vectors`] is a handle of its own, since the [`Virtqueue`](super::Virtqueue) itself is lent to NAPI, and there
//! is one for a set of queues. It takes back its hints before the vectors are freed, which matters where queues
//! share one. An interrupt that somebody has steered by hand stays there: it does not go where its hint says, so
//! both are left alone, until it goes there again. C takes it back with each change of the number of queues.
//!
//! No transport says which interrupt is a queue's, but `virtio-pci` deals out its vectors in the order of the
//! queues, and the number of vectors tells how (`rust_helper_virtio_queue_irq`).

use super::{
    set::Set,
    Request, //
};
use crate::bindings;
use core::ptr::{
    null,
    NonNull, //
};
use kernel::{
    cpumask::Cpumask,
    prelude::*,
    sync::Arc, //
};

/// The number of an interrupt, as it is seen in `/proc/interrupts`.
#[derive(Clone, Copy)]
pub struct Irq(c_int);

impl Irq {
    /// The number, which is not negative.
    pub fn number(self) -> c_int {
        self.0
    }

    /// Whether somebody else has steered it since it was steered here.
    fn is_taken_over(self) -> bool {
        // SAFETY: The function has no requirements; it takes any number.
        unsafe { bindings::irq_is_taken_over(self.0 as c_uint) }
    }
}

/// The interrupt vectors of the virtqueues of a device, to be steered to CPUs.
///
/// It keeps the queues in existence, as a [`Virtqueue`](super::Virtqueue) does, but has nothing to
/// do with what is lent: it can be used while others use the queues. Dropping it takes back the
/// hints: process context, may sleep.
///
/// # Invariants
///
/// The queues are those of `set`, and there is one such handle for a set.
pub struct Vectors {
    /// Null where the transport has not set one up.
    queues: KVec<*mut bindings::virtqueue>,
    set: Arc<Set>,
}

// SAFETY: The queues exist for as long as the set does, and what is done with them may be done by
// any one thread at a time.
unsafe impl Send for Vectors {}

impl Vectors {
    /// # Safety
    ///
    /// `queues` are those of `set`, for which there is no other handle of this type.
    pub(super) unsafe fn new(queues: KVec<*mut bindings::virtqueue>, set: Arc<Set>) -> Self {
        Self { queues, set }
    }

    /// The interrupt of the queue `index`, if it has one and it is known how the transport assigns them.
    /// Queues may share one.
    ///
    /// Process context.
    pub fn irq(&self, index: usize) -> Option<Irq> {
        let requests = self.set.requests();
        let with_irq = |requests: &[Request]| requests.iter().filter(|one| one.has_irq()).count();

        if !requests.get(index)?.has_irq() {
            return None;
        }
        let (before, all) = (with_irq(requests.get(..index)?), with_irq(requests));
        // CAST: A device has at most 65535 queues.
        // SAFETY: The device is valid, and has the queues that were asked for.
        let irq = unsafe {
            bindings::virtio_queue_irq(self.set.device().as_raw(), before as c_uint, all as c_uint)
        };
        (irq >= 0).then_some(Irq(irq))
    }

    /// Steers the interrupts of the queue `index` to `cpus`, and has that as the hint for whoever
    /// balances interrupts. Of queues that share a vector, the last call counts. Where the
    /// transport cannot do it, or where somebody else has steered it since, nothing happens.
    ///
    /// Process context. May sleep. C function: `virtqueue_set_affinity()`.
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is no such queue; `EINVAL` if it has no interrupts.
    pub fn set_affinity(&mut self, index: usize, cpus: &Cpumask) -> Result {
        let queue = *self.queues.get(index).ok_or(ENOENT)?;
        let queue = NonNull::new(queue).ok_or(ENOENT)?;
        if self.irq(index).is_some_and(Irq::is_taken_over) {
            return Ok(());
        }
        // SAFETY: The queue is one of them, and the mask is valid during the call.
        unsafe { self.hint(queue, cpus.as_raw()) }
    }

    /// # Safety
    ///
    /// `queue` is one of the queues. `cpus` is valid during the call, or null, which takes the hint
    /// back.
    unsafe fn hint(
        &mut self,
        queue: NonNull<bindings::virtqueue>,
        cpus: *const bindings::cpumask,
    ) -> Result {
        let Some(set_vq_affinity) = self.set.device().ops().set_vq_affinity else {
            return Ok(());
        };
        // SAFETY: By the requirement of this function. The transport copies the mask to where the
        // hint is kept, and `&mut self` of the only handle serialises that.
        kernel::error::to_result(unsafe { set_vq_affinity(queue.as_ptr(), cpus) })
    }
}

impl Drop for Vectors {
    fn drop(&mut self) {
        for i in 0..self.queues.len() {
            // The transport keeps the mask of a hint only as long as it has queues. Where it says
            // that a queue has no interrupts, there is no hint.
            if let Some(queue) = NonNull::new(self.queues[i]) {
                // SAFETY: By the type invariant.
                let _ = unsafe { self.hint(queue, null()) };
            }
        }
    }
}
