// SPDX-License-Identifier: GPL-2.0

//! A receive queue, and how its poll function has it.

use super::{
    done::{
        complete,
        Call, //
    },
    life::Slot,
    Done,
    TxGuard, //
};
use crate::{
    bindings,
    dim::Dim,
    Arm,
    Device,
    Driver,
    Exclusive,
    Napi,
    Polling,
    Program, //
};
use core::{
    cell::Cell,
    marker::PhantomData, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// A receive queue of a device.
pub(crate) struct RxSlot<T: Driver> {
    pub(crate) slot: Slot<T::Rx>,
    /// Adaptive moderation, if the device can do that.
    pub(crate) dim: Option<Pin<KBox<Dim>>>,
    stats: T::RxStats,
}

impl<T: Driver> RxSlot<T> {
    pub(crate) fn new(napi: Arc<Napi>, dim: Option<Pin<KBox<Dim>>>, state: T::Rx) -> Self {
        Self {
            slot: Slot::new(
                napi,
                bindings::netdev_queue_type_NETDEV_QUEUE_TYPE_RX,
                state,
            ),
            dim,
            stats: T::RxStats::default(),
        }
    }

    pub(crate) fn stats(&self) -> &T::RxStats {
        &self.stats
    }

    pub(crate) fn napi(&self) -> &Arc<Napi> {
        self.slot.napi()
    }
}

impl<T: Driver> Device<T> {
    /// Schedules the poll function of the transmit queue that has the index of the receive queue that is being polled.
    pub fn schedule_tx(&self, polling: &Polling<'_>) {
        let index = usize::from(polling.napi().index());
        if let Some(tx) = self.context().tx.get(index) {
            tx.napi().schedule();
        }
    }
}

/// A receive queue that is being polled, in softirq context.
pub struct RxPoll<'a, T: Driver> {
    device: &'a Device<T>,
    slot: &'a RxSlot<T>,
    state: &'a mut T::Rx,
    polling: Polling<'a>,
    program: Option<Program<'a>>,
    budget: c_int,
    call: Call<'a>,
}

/// The parts of an [`RxPoll`].
pub struct RxAccess<'a, 'p, T: Driver> {
    /// The driver's state.
    pub state: &'a mut T::Rx,
    /// The counters.
    pub stats: &'a T::RxStats,
    /// The poll function's context.
    pub polling: &'a Polling<'p>,
    /// The XDP program that is to see packets first.
    pub program: Option<Program<'p>>,
}

impl<'a, T: Driver> RxPoll<'a, T> {
    /// # Safety
    ///
    /// For the lifetime `'a` the caller is in the poll function of the slot's NAPI context, called with
    /// `budget`, which is positive, and in an RCU read-side section. There is one value at a time.
    #[inline]
    pub(crate) unsafe fn new(
        device: &'a Device<T>,
        slot: &'a RxSlot<T>,
        budget: c_int,
    ) -> Option<Self> {
        // SAFETY: By the requirements of this function: the section lasts as long.
        let program = unsafe { device.context().program.get() };
        Some(Self {
            device,
            slot,
            // SAFETY: By the requirements of this function.
            state: unsafe { slot.slot.state() }?,
            polling: Polling {
                owner: Exclusive {
                    napi: slot.napi(),
                    gfp: bindings::GFP_ATOMIC_NOWARN,
                    has_program: program.is_some(),
                },
                redirected: Cell::new(false),
            },
            program,
            budget,
            call: PhantomData,
        })
    }

    /// How many packets may be received at most: not 0.
    #[inline]
    pub fn budget(&self) -> u32 {
        // CAST: It is positive.
        self.budget as u32
    }

    /// The queue.
    #[inline]
    pub fn access(&mut self) -> RxAccess<'_, 'a, T> {
        RxAccess {
            state: self.state,
            stats: &self.slot.stats,
            polling: &self.polling,
            program: self.program,
        }
    }

    /// Takes the lock of the transmit queue of the same index, if it is free and the queue is not
    /// paused.
    #[inline]
    pub fn try_lock_tx(&mut self) -> Option<TxGuard<'_, T>> {
        let slot = self
            .device
            .context()
            .tx
            .get(usize::from(self.slot.napi().index()))?;
        // SAFETY: The poll function is running.
        unsafe { TxGuard::try_lock(slot, self.budget) }
    }

    /// Wants to be polled again: the budget has been used up.
    #[inline]
    pub fn again(self) -> Done<'a> {
        self.flush();
        Done::new(self.budget)
    }

    /// Has what programs have redirected sent on.
    #[inline]
    fn flush(&self) {
        if self.polling.redirected.get() {
            // SAFETY: This is the poll function that has redirected.
            unsafe { bindings::xdp_do_flush() };
        }
    }

    /// Gives up the queue as it was found, without having polled it: its interrupt is as it was, and nothing is looked for.
    pub fn leave(self) -> Done<'a> {
        // SAFETY: By the requirements of `new`. `self` is used no more.
        unsafe { bindings::napi_complete_done(self.slot.napi().as_raw(), 0) };
        Done::new(0)
    }

    #[cold]
    fn sample(&self, dim: &Dim) {
        let totals = T::rx_totals(self.slot.stats());
        // SAFETY: The poll function is running.
        unsafe { dim.sample(totals.packets, totals.bytes) };
    }

    /// Has the interrupt of the queue asked for, and gives up the queue, after `received` packets, fewer than
    /// the budget.
    #[inline]
    pub fn complete(self, received: u32) -> Done<'a> {
        self.flush();
        // CAST: A context that is completed must return less than the budget.
        let received = received.min(self.budget().wrapping_sub(1)) as c_int;
        if let Some(dim) = self.slot.dim.as_ref().filter(|dim| dim.is_on()) {
            self.sample(dim);
        }
        let armed = self.state.arm();
        // SAFETY: By the requirements of `new`. `self` is used no more.
        unsafe { complete(self.slot.napi(), received, &armed, || ()) }
    }
}
