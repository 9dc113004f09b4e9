// SPDX-License-Identifier: GPL-2.0

//! Asking the transport for virtqueues.

use super::{
    set::Set,
    Buffer,
    Request,
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
    sync::Arc, //
};

/// As many queues are described on the stack: it is for a call only, and most devices do not have more.
const FEW: usize = 5;

/// The virtqueues of a device, to be taken one after the other in the order of the requests.
pub struct Found {
    set: Arc<Set>,
    queues: KVec<*mut bindings::virtqueue>,
    next: usize,
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
    let set = Set::new(attached.clone(), requests)?;
    let mut few = [bindings::virtqueue_info::default(); FEW];
    let mut many;
    let infos = match few.get_mut(..count) {
        Some(infos) => infos,
        None => {
            many = KVec::from_elem(bindings::virtqueue_info::default(), count, GFP_KERNEL)?;
            many.as_mut_slice()
        }
    };
    for (info, request) in infos.iter_mut().zip(set.requests()) {
        *info = bindings::virtqueue_info {
            name: request.name.as_char_ptr(),
            callback: request.target.as_ref().map(|target| target.interrupt),
            // The core uses no tables on a queue that may keep contexts.
            ctx: request.direct,
        };
    }
    let mut queues = KVec::from_elem(null_mut(), count, GFP_KERNEL)?;

    fault::point("find_vqs")?;
    let find_vqs = device.ops().find_vqs.ok_or(ENODEV)?;
    // SAFETY: The device is valid and has no queues. The arrays have `count` elements. The names
    // live as long as the queues do. The set has been announced to the interrupts.
    to_result(unsafe {
        find_vqs(
            device.as_raw(),
            count as u32,
            queues.as_mut_ptr(),
            infos.as_mut_ptr(),
            null_mut(),
        )
    })?;

    Ok(Found {
        set,
        queues,
        next: 0,
    })
}

impl Found {
    /// Takes the interrupt vectors of all the queues, when the queues have been taken.
    pub fn into_vectors(self) -> Vectors {
        // SAFETY: The queues belong to the set, and this is done once.
        unsafe { Vectors::new(self.queues, self.set) }
    }

    /// Takes the next queue, for buffers of the type `B`.
    ///
    /// # Errors
    ///
    /// - `ENOENT` if all queues have been taken.
    /// - `EINVAL` if the request does not agree with [`Buffer::CONTEXT`].
    /// - `ENODEV` if the transport has not set it up; `ENOMEM`.
    pub fn take<B: Buffer>(&mut self) -> Result<Virtqueue<B>> {
        let queue = *self.queues.get(self.next).ok_or(ENOENT)?;
        let queue = NonNull::new(queue).ok_or(ENODEV)?;
        let request = self.set.requests().get(self.next).ok_or(ENOENT)?;
        if request.context != B::CONTEXT {
            return Err(EINVAL);
        }
        self.next += 1;
        // SAFETY: The queue belongs to the set, is handed out once, and keeps a context as `B`
        // says.
        unsafe { Virtqueue::new(queue, self.set.clone()) }
    }
}
