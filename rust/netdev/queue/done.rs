// SPDX-License-Identifier: GPL-2.0

//! How the poll function of a queue ends.

use crate::{
    bindings,
    Napi,
    Rearm, //
};
use core::marker::PhantomData;
use kernel::prelude::*;

/// The result of a poll function: the context has been completed, or wants to be polled again.
///
/// It is that of the one call `'poll`, which is like no other: one that has given up its context cannot return what
/// another one has been given.
#[must_use]
pub struct Done<'poll> {
    received: c_int,
    call: Call<'poll>,
}

/// The call of a poll function, by its lifetime: invariant, so that it can be neither shortened nor extended to that of
/// another one.
pub(super) type Call<'poll> = PhantomData<fn(&'poll ()) -> &'poll ()>;

impl Done<'_> {
    pub(super) fn new(received: c_int) -> Self {
        Self {
            received,
            call: PhantomData,
        }
    }

    /// What the poll function has to return to the stack.
    #[inline]
    pub(crate) fn received(self) -> c_int {
        self.received
    }
}

/// Gives up the NAPI context after `received` packets; polls again if something has arrived in
/// between.
///
/// Nothing of the driver is called in between, so nothing that waits for a grace period.
///
/// # Safety
///
/// The poll function of the context is running, and uses neither the context nor its queue any more. `armed` has been
/// made in the RCU read-side section that the caller is in. With `unlock` the lock of the queue is given up, if it has
/// one.
#[inline]
pub(super) unsafe fn complete<'poll>(
    napi: &Napi,
    received: c_int,
    armed: &impl Rearm,
    unlock: impl FnOnce(),
) -> Done<'poll> {
    // SAFETY: By the requirement of this function.
    let idle = unsafe { bindings::napi_complete_done(napi.as_raw(), received) };
    if !idle {
        armed.disable();
    }
    unlock();
    if idle && armed.pending() {
        napi.schedule_after(|| armed.disable());
    }
    Done::new(received)
}
