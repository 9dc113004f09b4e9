// SPDX-License-Identifier: GPL-2.0

//! Looking at a queue from outside: whether what it waits for ever comes.
//!
//! Whoever looks has the queue as its poll function has, but nothing is done for that beside what a look takes: no instruction is
//! added to the path of packets.

use crate::{
    bindings,
    ops::Ops,
    Device,
    Done,
    Driver,
    Napi,
    RxPoll,
    TxAccess, //
};
use kernel::{
    prelude::*,
    sync::rcu, //
};

/// A driver that looks at its queues from time to time.
pub trait Glance: Driver {
    /// Looks at a receive queue, and [leaves](RxPoll::leave) it, or polls it as [`poll_rx`](Driver::poll_rx) does. Softirq context.
    fn glance_rx<'poll>(device: &'poll Device<Self>, poll: RxPoll<'poll, Self>) -> Done<'poll>;
}

impl<T: Glance> Device<T> {
    /// Has [`Glance::glance_rx`] called soon for the receive queue `queue`, unless that is being polled, or is not, as when the
    /// interface is down. Process context.
    pub fn glance_rx(&self, queue: u16) {
        if let Some(rx) = self.context().rx.get(usize::from(queue)) {
            // SAFETY: The function is a poll function of this device's receive queues, and gives the context back the one that it
            // was added with.
            unsafe { rx.napi().schedule_once(Ops::<T>::glance_rx) };
        }
    }

    /// Calls `look` with the transmit queue `queue`, unless somebody has taken its state, or there is none. Process context.
    pub fn glance_tx(&self, queue: u16, look: impl FnOnce(&mut TxAccess<'_, T>)) {
        if let Some(tx) = self.context().tx.get(usize::from(queue)) {
            tx.with_access(look);
        }
    }
}

impl<T: Glance> Ops<T> {
    /// The poll function of a receive queue that is looked at, for one call.
    ///
    /// # Safety
    ///
    /// As for [`poll_rx`](Self::poll_rx). [`Napi::schedule_once`] has brought this call about, if `budget` is not 0.
    unsafe extern "C" fn glance_rx(napi: *mut bindings::napi_struct, budget: c_int) -> c_int {
        if budget <= 0 {
            return 0;
        }
        // SAFETY: By the requirement of this function. The context is owned by this call.
        let (napi, device) = unsafe {
            let napi = Napi::from_raw(napi);
            napi.set_poll(Self::poll_rx);
            (napi, Device::<T>::from_raw(napi.dev()))
        };
        let _section = rcu::read_lock();
        let slot = device.context().rx.get(usize::from(napi.index()));
        // SAFETY: This is the poll function, and the only value.
        match slot.and_then(|slot| unsafe { RxPoll::new(device, slot, budget) }) {
            Some(poll) => T::glance_rx(device, poll).received(),
            None => Self::nothing(napi),
        }
    }
}
