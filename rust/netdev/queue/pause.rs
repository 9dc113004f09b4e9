// SPDX-License-Identifier: GPL-2.0

//! Pausing one queue of a device that goes on with the others, for what takes long and may sleep.

use super::{
    Life,
    RxSlot,
    TxAccess,
    TxSlot, //
};
use crate::{
    bindings,
    Device,
    Driver,
    Exclusive,
    Locked, //
};
use kernel::prelude::*;

/// A receive queue that is paused. Nobody polls it.
pub struct RxPaused<'a, T: Driver> {
    /// The driver's state.
    pub state: &'a mut T::Rx,
    /// The counters.
    pub stats: &'a T::RxStats,
    /// The proof that nobody else has the queue.
    pub owner: Exclusive<'a>,
    /// Whether the queue is polled afterwards, as it is while the interface is up.
    pub polled: bool,
}

/// What there is of a receive queue beside its state, while that is lent by value.
pub struct RxLent<'a, T: Driver> {
    /// The counters.
    pub stats: &'a T::RxStats,
    /// The proof that nobody else has the queue.
    pub owner: Exclusive<'a>,
    /// Whether the queue is polled afterwards, as it is while the interface is up.
    pub polled: bool,
}

/// A transmit queue that is paused. Nobody polls it, and packets stay with the stack.
pub struct TxPaused<'a, T: Driver> {
    /// The driver's state.
    pub state: &'a mut T::Tx,
    /// The counters.
    pub stats: &'a T::TxStats,
    slot: &'a TxSlot<T>,
}

impl<T: Driver> TxPaused<'_, T> {
    /// Makes the byte queue limits forget what has been [`sent`](crate::TxQueue::sent): the device
    /// does not have it any more, and it will not be [`completed`](crate::TxQueue::completed).
    pub fn forget_sent(&mut self) {
        // SAFETY: The queue is valid. Nothing else changes its limits while it is paused.
        unsafe { bindings::netdev_tx_reset_queue(self.slot.queue.as_ptr()) }
    }
}

impl<T: Driver> Locked<'_, T> {
    /// Has `action` called while the receive queue `index` is paused. Then it is polled again, if
    /// it was before.
    ///
    /// Process context. May sleep, as `action` may. C functions: `virtnet_rx_pause()`,
    /// `virtnet_rx_resume()`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no queue `index`; `EBUSY` if it is paused already.
    pub fn pause_rx<R>(&self, index: u16, action: impl FnOnce(RxPaused<'_, T>) -> R) -> Result<R> {
        self.exchange_rx(index, |mut state, lent| {
            let RxLent {
                stats,
                owner,
                polled,
            } = lent;
            let result = action(RxPaused {
                state: &mut state,
                stats,
                owner,
                polled,
            });
            (state, result)
        })
    }

    /// As [`pause_rx`](Self::pause_rx), but `action` gets the state by value, and says what is put into its place.
    ///
    /// # Errors
    ///
    /// As for [`pause_rx`](Self::pause_rx).
    pub fn exchange_rx<R>(
        &self,
        index: u16,
        action: impl FnOnce(T::Rx, RxLent<'_, T>) -> (T::Rx, R),
    ) -> Result<R> {
        let rx = self.context().rx.get(usize::from(index)).ok_or(EINVAL)?;
        let polled = rx.slot.life(self) == Life::Running;

        // SAFETY: The device is registered. The context is disabled then, and the lock of the device is held.
        let state = unsafe {
            rx.slot.lend(self)?;
            if let Some(dim) = rx.dim.as_ref().filter(|_| polled) {
                dim.cancel();
            }
            rx.slot.replace(None)
        };
        let lent = RxLent {
            stats: RxSlot::stats(rx),
            owner: Exclusive {
                napi: rx.napi(),
                gfp: bindings::GFP_KERNEL,
                has_program: self.has_program(),
            },
            polled,
        };
        let (state, result) = action(state.ok_or(EBUSY)?, lent);
        // SAFETY: As above. The queue is lent.
        unsafe {
            rx.slot.replace(Some(state));
            rx.slot.take_back(self);
        }
        Ok(result)
    }

    /// Has `action` called while the transmit queue `index` is paused. Packets wait meanwhile:
    /// whoever sends one is told to try again.
    ///
    /// `reclaim` is called before and after that, with the queue's lock held. After it has been
    /// called for the second time the stack sends packets if the queue has been woken by it.
    ///
    /// Process context. May sleep, as `action` may. C functions: `virtnet_tx_pause()`,
    /// `virtnet_tx_resume()`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no queue `index`; `EBUSY` if it is paused already.
    pub fn pause_tx<R>(
        &self,
        index: u16,
        reclaim: impl Fn(&mut TxAccess<'_, T>),
        action: impl FnOnce(TxPaused<'_, T>) -> R,
    ) -> Result<R> {
        let tx = self.context().tx.get(usize::from(index)).ok_or(EINVAL)?;

        // SAFETY: The device is registered. The context is disabled then, and both locks are held. There is no reference to the
        // state once it is taken.
        let state = unsafe {
            tx.slot.lend(self)?;
            tx.with_lock(|| {
                if let Some(mut access) = tx.access(0) {
                    reclaim(&mut access);
                    access.queue.stop();
                }
                tx.slot.replace(None)
            })
        };
        let mut state = state.ok_or(EBUSY)?;
        let result = action(TxPaused {
            state: &mut state,
            stats: TxSlot::stats(tx),
            slot: tx,
        });
        // SAFETY: As above. The queue is lent, and its state has been put back.
        unsafe {
            tx.with_lock(|| {
                tx.slot.replace(Some(state));
                if let Some(mut access) = tx.access(0) {
                    reclaim(&mut access);
                }
            });
            tx.slot.take_back(self);
        }
        Ok(result)
    }
}

impl<T: Driver> Device<T> {
    /// Whether the interface is up, also while the device is frozen. It changes only with both locks held, the rtnl lock and that
    /// of the device.
    pub fn is_up(&self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { bindings::netif_running(self.as_raw()) }
    }
}
