// SPDX-License-Identifier: GPL-2.0

//! A transmit queue: the driver's part, the stack's part, and their lock.

use super::{
    done::{
        complete,
        Call, //
    },
    life::Slot,
    Done, //
};
use crate::{
    bindings,
    Arm,
    Driver,
    Napi,
    SkBuff, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// A transmit queue of a device. Its state is used with the lock of `queue` held, also where it is put into its place or taken
/// from there.
pub(crate) struct TxSlot<T: Driver> {
    pub(crate) slot: Slot<T::Tx>,
    pub(crate) queue: NonNull<bindings::netdev_queue>,
    stats: T::TxStats,
}

// SAFETY: `queue` is an object of the stack with a lock of its own.
unsafe impl<T: Driver> Send for TxSlot<T> {}
// SAFETY: As above.
unsafe impl<T: Driver> Sync for TxSlot<T> {}

impl<T: Driver> TxSlot<T> {
    pub(crate) fn new(
        napi: Arc<Napi>,
        queue: NonNull<bindings::netdev_queue>,
        state: T::Tx,
    ) -> Self {
        Self {
            slot: Slot::new(
                napi,
                bindings::netdev_queue_type_NETDEV_QUEUE_TYPE_TX,
                state,
            ),
            queue,
            stats: T::TxStats::default(),
        }
    }

    pub(crate) fn stats(&self) -> &T::TxStats {
        &self.stats
    }

    pub(crate) fn napi(&self) -> &Arc<Napi> {
        self.slot.napi()
    }

    /// Whether this CPU holds the lock of the queue. BH off.
    #[inline]
    pub(crate) fn is_locked_here(&self) -> bool {
        // SAFETY: The queue is valid.
        unsafe { bindings::netif_tx_owned(self.queue.as_ptr()) }
    }

    /// Calls `action` with the lock of the queue held. Process context.
    pub(crate) fn with_lock<R>(&self, action: impl FnOnce() -> R) -> R {
        // SAFETY: The queue is valid.
        unsafe {
            bindings::__netif_tx_lock_bh(self.queue.as_ptr());
            let result = action();
            bindings::__netif_tx_unlock_bh(self.queue.as_ptr());
            result
        }
    }

    /// Calls `action` with the lock of the queue held, and with the queue if its state is in its place. Softirq context.
    ///
    /// The watchdog does not take a queue for stuck that sends frames only.
    #[inline]
    pub(crate) fn with_frames_lock(&self, action: impl FnOnce(Option<TxAccess<'_, T>>)) {
        // SAFETY: The queue is valid. The lock is held, and there is no other access: whoever has the lock has one at a time.
        unsafe {
            bindings::__netif_tx_lock(self.queue.as_ptr());
            bindings::txq_trans_cond_update(self.queue.as_ptr());
            action(self.access(0));
            bindings::__netif_tx_unlock(self.queue.as_ptr());
        }
    }

    /// Calls `action` with the queue, if its state is in its place. Process context.
    pub(crate) fn with_access(&self, action: impl FnOnce(&mut TxAccess<'_, T>)) {
        self.with_lock(|| {
            // SAFETY: The lock is held, and there is no other access: whoever has the lock has one at a time.
            if let Some(mut access) = unsafe { self.access(0) } {
                action(&mut access);
            }
        });
    }

    /// The queue, if its state is in its place.
    ///
    /// # Safety
    ///
    /// For the lifetime of the result the caller holds the lock of `self.queue`. There is one at a time. If `budget` is not
    /// 0, the caller is in the poll function of a NAPI context.
    #[inline]
    pub(crate) unsafe fn access(&self, budget: c_int) -> Option<TxAccess<'_, T>> {
        // SAFETY: By the requirements of this function.
        unsafe { Some(self.access_to(self.slot.state()?, budget)) }
    }

    /// The queue, whose state is `state`.
    ///
    /// # Safety
    ///
    /// As for [`access`](Self::access).
    #[inline]
    unsafe fn access_to<'a>(&'a self, state: &'a mut T::Tx, budget: c_int) -> TxAccess<'a, T> {
        TxAccess {
            state,
            stats: &self.stats,
            napi: self.napi(),
            queue: TxQueue {
                raw: self.queue,
                budget,
                lifetime: PhantomData,
            },
        }
    }
}

/// A transmit queue whose lock is held: the driver's state of it, and the stack's.
pub struct TxAccess<'a, T: Driver> {
    /// The driver's state.
    pub state: &'a mut T::Tx,
    /// The counters.
    pub stats: &'a T::TxStats,
    /// The NAPI context that polls the queue.
    pub napi: &'a Napi,
    /// The stack's state.
    pub queue: TxQueue<'a>,
}

/// `struct netdev_queue`, with its lock held.
pub struct TxQueue<'a> {
    raw: NonNull<bindings::netdev_queue>,
    budget: c_int,
    lifetime: PhantomData<&'a ()>,
}

impl TxQueue<'_> {
    /// Stops the queue: the stack sends nothing until it is woken.
    #[inline]
    pub fn stop(&mut self) {
        // SAFETY: The queue is valid for as long as its device.
        unsafe { bindings::netif_tx_stop_queue(self.raw.as_ptr()) }
    }

    /// Wakes the queue if it has been stopped, and says whether it was.
    #[inline]
    pub fn wake(&mut self) -> bool {
        // SAFETY: As above.
        unsafe {
            let stopped = bindings::netif_tx_queue_stopped(self.raw.as_ptr());
            if stopped {
                bindings::netif_tx_wake_queue(self.raw.as_ptr());
            }
            stopped
        }
    }

    /// Tells the stack's byte queue limits that `bytes` have been handed to the device.
    ///
    /// Returns whether the device must be told now: no more follow, or the queue is stopped.
    #[inline]
    pub fn sent(&mut self, bytes: u32, more: bool) -> bool {
        // SAFETY: The queue is valid, and its lock serialises.
        unsafe { bindings::__netdev_tx_sent_queue(self.raw.as_ptr(), bytes, more) }
    }

    /// Tells the byte queue limits that the device has taken that much of what was
    /// [`sent`](Self::sent). What they have forgotten since does not count.
    #[inline]
    pub fn completed(&mut self, packets: u32, bytes: u32) {
        // SAFETY: The queue is valid, and its lock serialises.
        unsafe { bindings::netdev_tx_completed_queue(self.raw.as_ptr(), packets, bytes) }
    }

    /// If the byte queue limits have the stack wait, makes them forget what has been [`sent`](Self::sent), so that it
    /// goes on. The device may still have it, and it may be [`completed`](Self::completed).
    pub fn forget_sent(&mut self) {
        // SAFETY: The queue is valid, and its lock serialises.
        unsafe {
            if bindings::netdev_tx_is_limited(self.raw.as_ptr()) {
                bindings::netdev_tx_reset_queue(self.raw.as_ptr());
                bindings::netif_schedule_queue(self.raw.as_ptr());
            }
        }
    }

    /// Frees a packet that has been sent.
    #[inline]
    pub fn consume(&self, skb: SkBuff) {
        // SAFETY: The reference passes on. A budget other than 0 is that of a poll function, which
        // is running.
        unsafe { bindings::napi_consume_skb(skb.into_raw().as_ptr(), self.budget) }
    }

    /// Whether the last packet that was asked for is followed by another one. Only for
    /// `start_xmit`.
    #[inline]
    pub(crate) fn xmit_more() -> bool {
        // SAFETY: Reads a variable of this CPU, in softirq context.
        unsafe { bindings::netdev_xmit_more() }
    }
}

/// The lock of a transmit queue, held.
///
/// # Invariants
///
/// The lock is held, and nobody else has `state`.
pub struct TxGuard<'a, T: Driver> {
    slot: &'a TxSlot<T>,
    state: NonNull<T::Tx>,
    budget: c_int,
}

impl<'a, T: Driver> TxGuard<'a, T> {
    /// The lock, which is held, as a guard; or gives it up, if the state of the queue is not in its place.
    ///
    /// # Safety
    ///
    /// The lock is held and passes to the guard. If `budget` is not 0, the caller is in the poll
    /// function of a NAPI context for the lifetime of the guard.
    #[inline]
    unsafe fn adopt(slot: &'a TxSlot<T>, budget: c_int) -> Option<Self> {
        // SAFETY: The lock is held.
        let state = unsafe {
            let state = slot.slot.state().map(NonNull::from);
            if state.is_none() {
                bindings::__netif_tx_unlock(slot.queue.as_ptr());
            }
            state
        };
        // INVARIANT: By the requirement of this function.
        state.map(|state| Self {
            slot,
            state,
            budget,
        })
    }

    /// Takes the lock, if it is free and the state of the queue is in its place.
    ///
    /// # Safety
    ///
    /// If `budget` is not 0, the caller is in the poll function of a NAPI context for the lifetime of the
    /// guard.
    #[inline]
    pub(crate) unsafe fn try_lock(slot: &'a TxSlot<T>, budget: c_int) -> Option<Self> {
        // SAFETY: The queue is valid. The lock is passed on.
        unsafe {
            if !bindings::__netif_tx_trylock(slot.queue.as_ptr()) {
                return None;
            }
            Self::adopt(slot, budget)
        }
    }

    /// The queue.
    #[inline]
    pub fn access(&mut self) -> TxAccess<'_, T> {
        // SAFETY: By the type invariant, and `&mut self` makes it the only access.
        unsafe { self.slot.access_to(self.state.as_mut(), self.budget) }
    }
}

impl<T: Driver> Drop for TxGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::__netif_tx_unlock(self.slot.queue.as_ptr()) }
    }
}

/// A transmit queue that is being polled, in softirq context, with its lock held.
pub struct TxPoll<'a, T: Driver> {
    guard: TxGuard<'a, T>,
    call: Call<'a>,
}

impl<'a, T: Driver> TxPoll<'a, T> {
    /// Takes the lock; none if the state of the queue is not in its place, which it is while its context is enabled.
    ///
    /// # Safety
    ///
    /// For the lifetime `'a` the caller is in the poll function of the slot's NAPI context, which it owns,
    /// called with `budget`, and in an RCU read-side section.
    #[inline]
    pub(crate) unsafe fn new(slot: &'a TxSlot<T>, budget: c_int) -> Option<Self> {
        // SAFETY: The queue is valid; the lock is passed on.
        let guard = unsafe {
            bindings::__netif_tx_lock(slot.queue.as_ptr());
            TxGuard::adopt(slot, budget)
        }?;
        Some(Self {
            guard,
            call: PhantomData,
        })
    }

    /// The queue.
    #[inline]
    pub fn access(&mut self) -> TxAccess<'_, T> {
        self.guard.access()
    }

    /// How many packets may be sent at most for those who poll the queue: not 0.
    #[inline]
    pub fn budget(&self) -> u32 {
        // CAST: It is positive.
        self.guard.budget as u32
    }

    /// Wants to be polled again: the budget has been used up.
    #[inline]
    pub fn again(self) -> Done<'a> {
        Done::new(self.guard.budget)
    }

    /// Has the interrupt of the queue asked for, and gives up the queue and its lock.
    #[inline]
    pub fn complete(self) -> Done<'a> {
        let (slot, mut state, guard) = (self.guard.slot, self.guard.state, self.guard);
        // SAFETY: By the requirements of `new`. The guard has been the only access, and is just dropped.
        unsafe {
            let armed = state.as_mut().arm();
            complete(slot.napi(), 0, &armed, || drop(guard))
        }
    }
}
