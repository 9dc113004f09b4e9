// SPDX-License-Identifier: GPL-2.0

//! Exclusive access to the state of a queue, and how it is given up.

use crate::{
    bindings,
    dim::Dim,
    Arm,
    Device,
    Driver,
    Exclusive,
    Napi,
    Polling,
    Rearm,
    SkBuff, //
};
use core::{
    cell::{
        Cell,
        UnsafeCell, //
    },
    marker::PhantomData,
    ptr::NonNull,
    sync::atomic::{
        AtomicBool,
        Ordering::Relaxed, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// A receive queue of a device.
pub(crate) struct RxSlot<T: Driver> {
    pub(crate) napi: Arc<Napi>,
    /// Adaptive moderation, if the device can do that.
    pub(crate) dim: Option<Pin<KBox<Dim>>>,
    stats: T::RxStats,
    /// It is there unless the device is frozen, which pauses the queue.
    state: UnsafeCell<Option<T::Rx>>,
    /// Whether the state is lent by `Device::pause_rx`, or taken away by `Device::freeze`. Used only
    /// with the rtnl lock held.
    pub(crate) paused: Cell<bool>,
}

// SAFETY: `state` is lent only to whoever has the queue for itself, see `RxSlot::state`. `paused` has
// a lock.
unsafe impl<T: Driver> Sync for RxSlot<T> {}

impl<T: Driver> RxSlot<T> {
    pub(crate) fn new(napi: Arc<Napi>, dim: Option<Pin<KBox<Dim>>>, state: T::Rx) -> Self {
        Self {
            napi,
            dim,
            stats: T::RxStats::default(),
            state: UnsafeCell::new(Some(state)),
            paused: Cell::new(false),
        }
    }

    pub(crate) fn stats(&self) -> &T::RxStats {
        &self.stats
    }

    /// # Safety
    ///
    /// For the lifetime of the reference the caller runs the poll function of `self.napi`, or that
    /// context is disabled and the caller is serialised by the rtnl lock. There is one such
    /// reference at a time. The device is not frozen.
    #[expect(clippy::mut_from_ref)]
    #[inline]
    pub(crate) unsafe fn state(&self) -> &mut T::Rx {
        // SAFETY: By the requirement of this function.
        unsafe { (*self.state.get()).as_mut().unwrap_unchecked() }
    }

    /// Puts another state in the place of this one, and returns what was there.
    ///
    /// # Safety
    ///
    /// The context of the queue is disabled, the queue is paused by the caller, and the rtnl lock is
    /// held.
    pub(crate) unsafe fn replace(&self, state: Option<T::Rx>) -> Option<T::Rx> {
        // SAFETY: By the requirement of this function nobody has a reference to the state.
        unsafe { self.state.get().replace(state) }
    }
}

/// A transmit queue of a device.
pub(crate) struct TxSlot<T: Driver> {
    pub(crate) napi: Arc<Napi>,
    pub(crate) queue: NonNull<bindings::netdev_queue>,
    stats: T::TxStats,
    /// It is there unless the device is frozen, which pauses the queue.
    state: UnsafeCell<Option<T::Tx>>,
    /// Whether the state is lent by `Device::pause_tx`, or taken away by `Device::freeze`. It changes
    /// with the rtnl lock and that of the queue held.
    paused: AtomicBool,
}

// SAFETY: `queue` is an object of the stack with a lock of its own. `state` is lent only with that
// lock, or while the queue is paused.
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
            napi,
            queue,
            stats: T::TxStats::default(),
            state: UnsafeCell::new(Some(state)),
            paused: AtomicBool::new(false),
        }
    }

    pub(crate) fn stats(&self) -> &T::TxStats {
        &self.stats
    }

    /// Whether the queue is paused, so that nobody else gets its state.
    #[inline]
    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Relaxed)
    }

    /// Whether this CPU holds the lock of the queue. BH off.
    #[inline]
    pub(crate) fn is_locked_here(&self) -> bool {
        // SAFETY: The queue is valid.
        unsafe { bindings::netif_tx_owned(self.queue.as_ptr()) }
    }

    fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Relaxed);
    }

    /// # Safety
    ///
    /// For the lifetime of the reference the caller holds the lock of `self.queue`, or has paused
    /// the queue. There is one such reference at a time. The device is not frozen.
    #[expect(clippy::mut_from_ref)]
    #[inline]
    pub(crate) unsafe fn state(&self) -> &mut T::Tx {
        // SAFETY: By the requirement of this function.
        unsafe { (*self.state.get()).as_mut().unwrap_unchecked() }
    }

    /// Puts another state in the place of this one, and returns what was there.
    ///
    /// # Safety
    ///
    /// The context of the queue is disabled, and the queue is paused by the caller.
    pub(crate) unsafe fn replace(&self, state: Option<T::Tx>) -> Option<T::Tx> {
        // SAFETY: By the requirement of this function nobody has a reference to the state.
        unsafe { self.state.get().replace(state) }
    }

    /// Stops the queue, and has all others keep away from its state. C function:
    /// `virtnet_tx_pause()`.
    ///
    /// # Safety
    ///
    /// The queue is not paused, its context is disabled, and the rtnl lock is held.
    pub(crate) unsafe fn pause(&self, settle: impl FnOnce(&mut TxAccess<'_, T>)) {
        // SAFETY: By the requirement of this function.
        unsafe {
            self.with_lock(|mut tx| {
                settle(&mut tx);
                tx.queue.stop();
                self.set_paused(true);
            })
        };
    }

    /// Lets others have the state again, which is there.
    ///
    /// # Safety
    ///
    /// The caller has paused the queue and does not use its state any more. The rtnl lock is held.
    pub(crate) unsafe fn resume(&self, settle: impl FnOnce(&mut TxAccess<'_, T>)) {
        // SAFETY: By the requirement of this function.
        unsafe {
            self.with_lock(|mut tx| {
                self.set_paused(false);
                settle(&mut tx);
            })
        };
    }

    /// Calls `action` with the lock of the queue held. Process context.
    ///
    /// # Safety
    ///
    /// The queue is not paused, or the caller has paused it and does not use its state now.
    unsafe fn with_lock<R>(&self, action: impl FnOnce(TxAccess<'_, T>) -> R) -> R {
        // SAFETY: The queue is valid. By the requirement of this function nobody else gets the
        // state while the lock is held.
        unsafe {
            bindings::__netif_tx_lock_bh(self.queue.as_ptr());
            let result = action(self.access(0));
            bindings::__netif_tx_unlock_bh(self.queue.as_ptr());
            result
        }
    }

    /// # Safety
    ///
    /// For the lifetime of the result the caller holds the lock of `self.queue`, and nobody else has
    /// paused it. There is one at a time. If `budget` is not 0, the caller is in the poll function of a
    /// NAPI context.
    #[inline]
    pub(crate) unsafe fn access(&self, budget: c_int) -> TxAccess<'_, T> {
        TxAccess {
            // SAFETY: By the requirement of this function.
            state: unsafe { self.state() },
            stats: &self.stats,
            napi: &self.napi,
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
pub struct TxGuard<'a, T: Driver> {
    slot: &'a TxSlot<T>,
    budget: c_int,
}

impl<'a, T: Driver> TxGuard<'a, T> {
    /// # Safety
    ///
    /// The lock is held and passes to the guard. The queue is not paused. If `budget` is not 0, the caller is in the poll
    /// function of a NAPI context for the lifetime of the guard.
    #[inline]
    unsafe fn adopt(slot: &'a TxSlot<T>, budget: c_int) -> Self {
        Self { slot, budget }
    }

    /// Takes the lock, if it is free and the queue is not paused.
    ///
    /// # Safety
    ///
    /// If `budget` is not 0, the caller is in the poll function of a NAPI context for the lifetime of the
    /// guard.
    #[inline]
    pub(crate) unsafe fn try_lock(slot: &'a TxSlot<T>, budget: c_int) -> Option<Self> {
        // SAFETY: The queue is valid. The lock is passed on, unless somebody else has the state.
        unsafe {
            if !bindings::__netif_tx_trylock(slot.queue.as_ptr()) {
                return None;
            }
            if slot.is_paused() {
                bindings::__netif_tx_unlock(slot.queue.as_ptr());
                return None;
            }
            Some(Self::adopt(slot, budget))
        }
    }

    /// The queue.
    #[inline]
    pub fn access(&mut self) -> TxAccess<'_, T> {
        // SAFETY: The lock is held, and `&mut self` makes it the only access.
        unsafe { self.slot.access(self.budget) }
    }
}

impl<T: Driver> Drop for TxGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: The lock is held.
        unsafe { bindings::__netif_tx_unlock(self.slot.queue.as_ptr()) }
    }
}

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
type Call<'poll> = PhantomData<fn(&'poll ()) -> &'poll ()>;

impl Done<'_> {
    fn new(received: c_int) -> Self {
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
unsafe fn complete<'poll>(
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

/// A receive queue that is being polled, in softirq context.
pub struct RxPoll<'a, T: Driver> {
    device: &'a Device<T>,
    slot: &'a RxSlot<T>,
    polling: Polling<'a>,
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
}

impl<'a, T: Driver> RxPoll<'a, T> {
    /// # Safety
    ///
    /// For the lifetime `'a` the caller is in the poll function of the slot's NAPI context, called with
    /// `budget`, which is positive, and in an RCU read-side section. There is one value at a time.
    #[inline]
    pub(crate) unsafe fn new(device: &'a Device<T>, slot: &'a RxSlot<T>, budget: c_int) -> Self {
        Self {
            device,
            slot,
            polling: Polling {
                owner: Exclusive {
                    napi: &slot.napi,
                    gfp: bindings::GFP_ATOMIC_NOWARN,
                },
            },
            budget,
            call: PhantomData,
        }
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
            // SAFETY: The poll function is running, and `&mut self` makes it the only access.
            state: unsafe { self.slot.state() },
            stats: &self.slot.stats,
            polling: &self.polling,
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
            .get(usize::from(self.slot.napi.index()))?;
        // SAFETY: The poll function is running.
        unsafe { TxGuard::try_lock(slot, self.budget) }
    }

    /// Wants to be polled again: the budget has been used up.
    #[inline]
    pub fn again(self) -> Done<'a> {
        Done::new(self.budget)
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
        // CAST: A context that is completed must return less than the budget.
        let received = received.min(self.budget().wrapping_sub(1)) as c_int;
        if let Some(dim) = self.slot.dim.as_ref().filter(|dim| dim.is_on()) {
            self.sample(dim);
        }
        // SAFETY: By the requirements of `new`. `self` has been the only access, and is used no more.
        unsafe {
            let armed = self.slot.state().arm();
            complete(&self.slot.napi, received, &armed, || ())
        }
    }
}

/// A transmit queue that is being polled, in softirq context, with its lock held.
pub struct TxPoll<'a, T: Driver> {
    guard: TxGuard<'a, T>,
    call: Call<'a>,
}

impl<'a, T: Driver> TxPoll<'a, T> {
    /// Takes the lock.
    ///
    /// # Safety
    ///
    /// For the lifetime `'a` the caller is in the poll function of the slot's NAPI context, which it owns,
    /// called with `budget`, and in an RCU read-side section.
    #[inline]
    pub(crate) unsafe fn new(slot: &'a TxSlot<T>, budget: c_int) -> Self {
        // SAFETY: The queue is valid; the lock is passed on. While a queue is paused its context is
        // disabled, so no poll function is running.
        let guard = unsafe {
            bindings::__netif_tx_lock(slot.queue.as_ptr());
            TxGuard::adopt(slot, budget)
        };
        Self {
            guard,
            call: PhantomData,
        }
    }

    /// The queue.
    #[inline]
    pub fn access(&mut self) -> TxAccess<'_, T> {
        self.guard.access()
    }

    /// Has the interrupt of the queue asked for, and gives up the queue and its lock.
    #[inline]
    pub fn complete(self) -> Done<'a> {
        let (slot, guard) = (self.guard.slot, self.guard);
        // SAFETY: By the requirements of `new`. The guard has been the only access, and is just dropped.
        unsafe {
            let armed = slot.state().arm();
            complete(&slot.napi, 0, &armed, || drop(guard))
        }
    }
}
