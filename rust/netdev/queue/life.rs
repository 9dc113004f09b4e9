// SPDX-License-Identifier: GPL-2.0

//! The life of a queue: whether the driver's state of it is in its place, and who may use it.

use crate::{
    bindings,
    Driver,
    Locked,
    Napi, //
};
use core::cell::{
    Cell,
    UnsafeCell, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// What a queue does. It changes with the lock of the device held only, by the functions of [`Slot`] and no others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// The device has been frozen: there is no state.
    Gone,
    /// The state is in its place, and the NAPI context is disabled.
    Stopped,
    /// The context is enabled: its poll function has the state, or of a transmit queue whoever holds the lock.
    Running,
    /// Somebody has taken the state from its place, and is going to put it back. The context is disabled.
    Lent {
        /// Whether the queue is going to run again then.
        running: bool,
    },
}

/// The place of the driver's state of a queue.
///
/// # Invariants
///
/// There is a state in the place if `life` is `Stopped` or `Running`. The context is enabled if it is `Running`.
pub(crate) struct Slot<S> {
    napi: Arc<Napi>,
    kind: bindings::netdev_queue_type,
    life: Cell<Life>,
    state: UnsafeCell<Option<S>>,
}

// SAFETY: `life` is used with the lock of the device held. `state` is lent to one thread at a time, see `Slot::state`.
unsafe impl<S: Send> Sync for Slot<S> {}

impl<S> Slot<S> {
    /// A queue that is stopped.
    pub(crate) fn new(napi: Arc<Napi>, kind: bindings::netdev_queue_type, state: S) -> Self {
        Self {
            napi,
            kind,
            life: Cell::new(Life::Stopped),
            state: UnsafeCell::new(Some(state)),
        }
    }

    pub(crate) fn napi(&self) -> &Arc<Napi> {
        &self.napi
    }

    pub(crate) fn life<T: Driver>(&self, _device: &Locked<'_, T>) -> Life {
        self.life.get()
    }

    /// The state, if it is in its place.
    ///
    /// # Safety
    ///
    /// For the lifetime of the reference nobody else uses the state or its place: the caller runs the poll function of a receive
    /// queue; or holds the lock of a transmit queue; or holds the lock of the device while the context of a receive queue
    /// is disabled. There is one such reference at a time.
    #[inline]
    pub(crate) unsafe fn state(&self) -> Option<&mut S> {
        // SAFETY: By the requirement of this function.
        unsafe { (*self.state.get()).as_mut() }
    }

    /// `Stopped` → `Running`: enables the context, and has it polled. Process context, may sleep.
    ///
    /// # Errors
    ///
    /// `EBUSY` if it is something else.
    ///
    /// # Safety
    ///
    /// The device is registered, and the queue is one of it.
    pub(crate) unsafe fn start<T: Driver>(&self, _device: &Locked<'_, T>) -> Result {
        if self.life.get() != Life::Stopped {
            return Err(EBUSY);
        }
        // SAFETY: By the requirement of this function. The context is disabled, by the type invariant.
        unsafe { self.napi.enable(self.kind) };
        // INVARIANT: It has just been enabled.
        self.life.set(Life::Running);
        Ok(())
    }

    /// `Running` → `Stopped`: disables the context, and waits until its poll function has returned. Process context, may
    /// sleep.
    ///
    /// # Errors
    ///
    /// `EBUSY` if it is something else.
    ///
    /// # Safety
    ///
    /// The device is registered, and the queue is one of it.
    pub(crate) unsafe fn stop<T: Driver>(&self, _device: &Locked<'_, T>) -> Result {
        if self.life.get() != Life::Running {
            return Err(EBUSY);
        }
        // SAFETY: By the requirement of this function. The context is enabled, by the type invariant.
        unsafe { self.napi.disable(self.kind) };
        // INVARIANT: It has just been disabled.
        self.life.set(Life::Stopped);
        Ok(())
    }

    /// `Stopped` or `Running` → `Lent`: stops the queue if it runs. The caller takes the state from its place then. Process
    /// context, may sleep.
    ///
    /// # Errors
    ///
    /// `EBUSY` if it is something else.
    ///
    /// # Safety
    ///
    /// As for [`stop`](Self::stop). [`replace`](Self::replace) follows.
    pub(crate) unsafe fn lend<T: Driver>(&self, device: &Locked<'_, T>) -> Result {
        let running = match self.life.get() {
            Life::Stopped => false,
            Life::Running => {
                // SAFETY: By the requirement of this function.
                unsafe { self.stop(device) }?;
                true
            }
            Life::Gone | Life::Lent { .. } => return Err(EBUSY),
        };
        self.life.set(Life::Lent { running });
        Ok(())
    }

    /// `Lent` → `Stopped`, and → `Running` if it was before. Process context, may sleep.
    ///
    /// # Safety
    ///
    /// As for [`start`](Self::start). The queue is lent, and the caller has put the state back.
    pub(crate) unsafe fn take_back<T: Driver>(&self, device: &Locked<'_, T>) {
        let running = self.life.get() == Life::Lent { running: true };
        // INVARIANT: By the requirement of this function.
        self.life.set(Life::Stopped);
        if running {
            // SAFETY: By the requirement of this function. It is stopped.
            let _ = unsafe { self.start(device) };
        }
    }

    /// `Stopped` → `Gone`. The caller takes the state from its place then.
    ///
    /// # Errors
    ///
    /// `EBUSY` if it is something else.
    pub(crate) fn remove<T: Driver>(&self, _device: &Locked<'_, T>) -> Result {
        if self.life.get() != Life::Stopped {
            return Err(EBUSY);
        }
        self.life.set(Life::Gone);
        Ok(())
    }

    /// `Gone` → `Stopped`.
    ///
    /// # Safety
    ///
    /// The queue is gone, and the caller has put a state into its place.
    pub(crate) unsafe fn insert<T: Driver>(&self, _device: &Locked<'_, T>) {
        // INVARIANT: By the requirement of this function.
        self.life.set(Life::Stopped);
    }

    /// Puts a state into the place, or takes it from there. Returns what was there.
    ///
    /// # Safety
    ///
    /// The context is disabled, and the lock of the device is held, as is that of a transmit queue. There is no reference to the state.
    pub(crate) unsafe fn replace(&self, state: Option<S>) -> Option<S> {
        // SAFETY: By the requirement of this function nobody else uses the place.
        unsafe { self.state.get().replace(state) }
    }
}
