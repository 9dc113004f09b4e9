// SPDX-License-Identifier: GPL-2.0

//! Asking the transport for virtqueues.

use super::{
    resize::Released,
    set::{
        Set,
        Slot,
        Target, //
    },
    Buffer,
    Callback,
    Vectors,
    Virtqueue, //
};
use crate::{
    bindings,
    fault,
    Attached,
    Device, //
};
use core::ptr::{
    null_mut,
    NonNull, //
};
use kernel::{
    device::Core,
    error::to_result,
    prelude::*,
    str::CString,
    sync::Arc, //
};

/// What a driver wants of one virtqueue.
pub struct Request {
    slot: Slot,
    context: bool,
}

impl Request {
    /// A queue without interrupts, that is polled.
    ///
    /// `name` is seen in `/proc/interrupts`.
    pub fn polled(name: CString) -> Self {
        Self {
            slot: Slot {
                name,
                target: None,
                released: Released::default(),
            },
            context: false,
        }
    }

    /// A queue whose interrupts go to `callback`.
    pub fn with_callback<C: Callback>(name: CString, callback: Arc<C>) -> Self {
        Self {
            slot: Slot {
                name,
                target: Some(Target::new(callback)),
                released: Released::default(),
            },
            context: false,
        }
    }

    /// Keeps a word beside each buffer, for a [`Buffer`] that says [`Buffer::CONTEXT`].
    ///
    /// The virtio core uses no indirect descriptors on such a queue.
    pub fn with_context(self) -> Self {
        Self {
            context: true,
            ..self
        }
    }
}

/// The virtqueues of a device, to be taken one after the other in the order of the requests.
pub struct Found {
    set: Arc<Set>,
    queues: KVec<NonNull<bindings::virtqueue>>,
    contexts: KVec<bool>,
    next: usize,
    vectors_taken: bool,
}

/// Makes the transport set up virtqueues, in the order that the device type wants.
///
/// They exist until the last handle to any of them is dropped, which resets the device.
///
/// Process context. May sleep. C function: `virtio_find_vqs()`.
///
/// # Errors
///
/// - `EINVAL` if `attached` is not a hold on `device`.
/// - `EBUSY` if the device has queues already.
/// - `ENOMEM`, or what the transport says: nothing is left.
pub fn find(
    device: &Device<Core<'_>>,
    attached: &Attached,
    requests: KVec<Request>,
) -> Result<Found> {
    if !attached.is(device) {
        return Err(EINVAL);
    }
    let count = requests.len();
    let mut slots = KVec::with_capacity(count, GFP_KERNEL)?;
    let mut contexts = KVec::with_capacity(count, GFP_KERNEL)?;
    for request in requests {
        slots.push(request.slot, GFP_KERNEL)?;
        contexts.push(request.context, GFP_KERNEL)?;
    }

    let set = Set::new(attached.clone(), slots)?;
    let mut infos = KVec::with_capacity(count, GFP_KERNEL)?;
    for (slot, &ctx) in set.slots().iter().zip(&contexts) {
        infos.push(
            bindings::virtqueue_info {
                name: slot.name.as_char_ptr(),
                callback: slot.target.as_ref().map(|target| target.interrupt),
                ctx,
            },
            GFP_KERNEL,
        )?;
    }
    let mut raw = KVec::from_elem(null_mut(), count, GFP_KERNEL)?;
    let mut queues = KVec::with_capacity(count, GFP_KERNEL)?;

    fault::point("find_vqs")?;
    let find_vqs = device.ops().find_vqs.ok_or(ENODEV)?;
    // SAFETY: The device is valid and has no queues. The arrays have `count` elements. The names
    // live as long as the queues do. The set has been announced to the interrupts.
    to_result(unsafe {
        find_vqs(
            device.as_raw(),
            count as u32,
            raw.as_mut_ptr(),
            infos.as_mut_ptr(),
            null_mut(),
        )
    })?;

    for queue in raw {
        queues.push(NonNull::new(queue).ok_or(ENODEV)?, GFP_KERNEL)?;
    }
    Ok(Found {
        set,
        queues,
        contexts,
        next: 0,
        vectors_taken: false,
    })
}

impl Found {
    /// Takes the interrupt vectors of all the queues.
    ///
    /// # Errors
    ///
    /// `ENOENT` if they have been taken; `ENOMEM`.
    pub fn take_vectors(&mut self) -> Result<Vectors> {
        if self.vectors_taken {
            return Err(ENOENT);
        }
        fault::point("vectors")?;
        // SAFETY: The queues belong to the set, and this is done once.
        let vectors = unsafe { Vectors::new(&self.queues, self.set.clone()) }?;
        self.vectors_taken = true;
        Ok(vectors)
    }

    /// Takes the next queue, for buffers of the type `B`.
    ///
    /// # Errors
    ///
    /// - `ENOENT` if all queues have been taken.
    /// - `EINVAL` if the request does not agree with [`Buffer::CONTEXT`].
    /// - `ENOMEM`.
    pub fn take<B: Buffer>(&mut self) -> Result<Virtqueue<B>> {
        let queue = *self.queues.get(self.next).ok_or(ENOENT)?;
        if self.contexts.get(self.next) != Some(&B::CONTEXT) {
            return Err(EINVAL);
        }
        self.next += 1;
        // SAFETY: The queue belongs to the set, is handed out once, and keeps a context as `B`
        // says.
        unsafe { Virtqueue::new(queue, self.set.clone()) }
    }
}
