// SPDX-License-Identifier: GPL-2.0

//! Giving a virtqueue a ring of another size, through a reset of the queue (virtio 1.3, section
//! 2.6.1).

use super::{
    set::Set,
    virtqueue::check,
    Buffer,
    Virtqueue, //
};
use crate::{
    bindings,
    fault, //
};
use core::{
    ffi::c_void,
    ptr::NonNull,
    sync::atomic::{
        AtomicBool,
        AtomicU32,
        Ordering::Relaxed, //
    },
};
use dma::sg;
use kernel::prelude::*;

/// What takes a buffer of a queue back that is in reset, and what notes that all have been.
type Recycle = Option<unsafe extern "C" fn(*mut bindings::virtqueue, *mut c_void)>;
type Recycled = Option<unsafe extern "C" fn(*mut bindings::virtqueue)>;

/// What became of a queue that was to be resized, or reset.
#[must_use]
pub struct Resized {
    /// How many buffers were released, which are all that were lent; or `None` if the queue has not
    /// been reset, so that all are still lent.
    pub released: Option<u32>,
    /// Whether it has the size. Errors:
    ///
    /// - `E2BIG`, `EINVAL`: there can be no ring of this size;
    /// - `ENOENT`, `EPERM`: the device or its transport cannot reset a queue;
    /// - `ENOMEM`: the queue goes on with its old size, whether it was reset or not;
    /// - `EBUSY` and others: the device does not take the queue back;
    /// - `EIO`: the queue was broken before.
    pub result: Result,
    /// Whether the queue is broken: it takes no buffer any more until the device is reset.
    pub broken: bool,
}

/// What a resize tells of the buffers of a queue.
#[derive(Default)]
pub(super) struct Released {
    count: AtomicU32,
    all: AtomicBool,
}

/// What `vq` tells of its buffers, if it was asked for.
///
/// # Safety
///
/// `vq` belongs to a [`Set`], which exists for the lifetime `'a`.
unsafe fn released<'a>(vq: *mut bindings::virtqueue) -> Option<&'a Released> {
    // SAFETY: By the requirement of this function, and by the invariant of `Set`.
    unsafe { Set::request_of(vq) }.map(|request| &request.released)
}

/// Takes back a buffer of a queue that is in reset.
///
/// # Safety
///
/// `vq` belongs to a [`Set`], and its buffers are of the type `B`. `token` is one of them, which the
/// core has just forgotten.
unsafe extern "C" fn recycle<B: Buffer>(vq: *mut bindings::virtqueue, token: *mut c_void) {
    if let Some(token) = NonNull::new(token) {
        // SAFETY: By the requirements of this function. The device has no access to the buffers of a
        // queue that is in reset.
        unsafe { B::release(token) };
    }
    // SAFETY: By the requirements of this function.
    if let Some(released) = unsafe { released(vq) } {
        released
            .count
            .store(released.count.load(Relaxed).wrapping_add(1), Relaxed);
    }
}

/// Notes that all buffers of a queue have been taken back.
///
/// # Safety
///
/// `vq` belongs to a [`Set`].
unsafe extern "C" fn recycled(vq: *mut bindings::virtqueue) {
    // SAFETY: By the requirement of this function.
    if let Some(released) = unsafe { released(vq) } {
        released.all.store(true, Relaxed);
    }
}

impl<B: Buffer> Virtqueue<B> {
    /// The largest number of descriptors that the ring can have.
    pub fn max_size(&self) -> u32 {
        // SAFETY: By the type invariant; the field does not change.
        unsafe { (*self.as_raw()).num_max }
    }

    /// Gives the ring `size` descriptors: from 1 to [`max_size`](Self::max_size), and where the
    /// queue has a split ring, a power of two.
    ///
    /// What is lent is released. Process context. May sleep. The device must not be in reset. C
    /// function: `virtqueue_resize()`.
    ///
    /// There is nothing to do if the ring has that size.
    pub fn resize(&mut self, size: u32) -> Resized {
        let segments = self.set.max_segments(self.index(), size);
        let table = match sg::Table::new(B::SEGMENTS.min(segments)) {
            Ok(table) => table,
            Err(error) => {
                return Resized {
                    released: None,
                    result: Err(error),
                    broken: self.is_broken(),
                }
            }
        };
        let resized = self.reset_with("ring", |raw, recycle, recycled| {
            // SAFETY: By the requirements of `reset_with`. The core makes the new ring first; the point of no return is its reset
            // of the queue.
            unsafe { bindings::virtqueue_resize(raw, size, recycle, recycled) }
        });
        if self.size() == size {
            self.table = table;
        }
        resized
    }

    /// Resets the queue: what is lent is released, and the ring keeps its size. See [`resize`](Self::resize). C function:
    /// `virtqueue_reset()`.
    pub fn reset(&mut self) -> Resized {
        self.reset_with("queue reset", |raw, recycle, recycled| {
            // SAFETY: By the requirements of `reset_with`.
            unsafe { bindings::virtqueue_reset(raw, recycle, recycled) }
        })
    }

    /// Has `reset` called with the queue, which nobody else uses, and with what takes its buffers back.
    fn reset_with(
        &mut self,
        point: &str,
        reset: impl FnOnce(*mut bindings::virtqueue, Recycle, Recycled) -> c_int,
    ) -> Resized {
        let raw = self.as_raw();
        let unchanged = |result, broken| Resized {
            released: None,
            result,
            broken,
        };
        if self.is_broken() {
            return unchanged(Err(EIO), true);
        }
        if let Err(error) = fault::point(point) {
            return unchanged(Err(error), false);
        }
        // SAFETY: By the type invariant the queue belongs to a set, to which `self` has a reference.
        let Some(released) = (unsafe { released(raw) }) else {
            return unchanged(Err(EINVAL), false);
        };
        released.count.store(0, Relaxed);
        released.all.store(false, Relaxed);

        // SAFETY: This is process context. An `Armed` may have been kept, and look at the ring, until its
        // read-side section ends; none is made meanwhile, because of `&mut self`. By the type invariant the queue is valid, and
        // `&mut self` serialises. The tokens come from a `B`. What is lent is released when the queue has been reset.
        let (result, broken) = unsafe {
            bindings::synchronize_net();
            let result = check(reset(raw, Some(recycle::<B>), Some(recycled)));
            // The transport clears the field when the queue is back.
            let broken = result.is_err() && (*raw).reset;
            if broken {
                // The ring would take buffers that nobody looks at.
                bindings::__virtqueue_break(raw);
            }
            (result, broken)
        };
        Resized {
            released: released
                .all
                .load(Relaxed)
                .then(|| released.count.load(Relaxed)),
            result,
            broken,
        }
    }
}
