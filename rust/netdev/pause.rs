// SPDX-License-Identifier: GPL-2.0

//! Pausing one queue of a device that goes on with the others, for what takes long and may sleep.

use crate::{
    bindings,
    queues::{
        RxSlot,
        TxAccess,
        TxSlot, //
    },
    rtnl,
    Device,
    Driver,
    Exclusive, //
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

impl<T: Driver> Device<T> {
    /// Has `action` called while the receive queue `index` is paused. Then it is polled again, if
    /// it was before.
    ///
    /// Process context. May sleep, as `action` may. C functions: `virtnet_rx_pause()`,
    /// `virtnet_rx_resume()`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no queue `index`; `EBUSY` if it is paused already.
    pub fn pause_rx<R>(
        &self,
        index: u16,
        rtnl: &rtnl::Held,
        action: impl FnOnce(RxPaused<'_, T>) -> R,
    ) -> Result<R> {
        let slot = self.context().rx.get(usize::from(index)).ok_or(EINVAL)?;
        let polled = self.context().polled.get(rtnl);

        if slot.paused.get() {
            return Err(EBUSY);
        }
        // With the lock that is held nobody opens, stops, freezes or thaws the device, which would
        // enable or disable the context too.
        slot.paused.set(true);
        if polled {
            // SAFETY: The device is registered, the lock is held, and the context enabled.
            unsafe {
                slot.napi
                    .disable(bindings::netdev_queue_type_NETDEV_QUEUE_TYPE_RX)
            };
            if let Some(dim) = &slot.dim {
                // SAFETY: The context has just been disabled.
                unsafe { dim.settle() };
            }
        }
        let result = action(RxPaused {
            // SAFETY: The context is disabled, and the rtnl lock is held. `paused` makes this the
            // only reference.
            state: unsafe { slot.state() },
            stats: RxSlot::stats(slot),
            owner: Exclusive {
                napi: &slot.napi,
                gfp: bindings::GFP_KERNEL,
            },
            polled,
        });
        if polled {
            // SAFETY: It has been disabled above.
            unsafe {
                slot.napi
                    .enable(bindings::netdev_queue_type_NETDEV_QUEUE_TYPE_RX)
            };
        }
        slot.paused.set(false);
        Ok(result)
    }

    /// Has `action` called while the transmit queue `index` is paused. Packets wait meanwhile:
    /// whoever sends one is told to try again.
    ///
    /// `settle` is called before and after that, with the queue's lock held. After it has been
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
        rtnl: &rtnl::Held,
        settle: impl Fn(&mut TxAccess<'_, T>),
        action: impl FnOnce(TxPaused<'_, T>) -> R,
    ) -> Result<R> {
        let slot = self.context().tx.get(usize::from(index)).ok_or(EINVAL)?;
        let polled = self.context().polled.get(rtnl);

        // It changes only with the rtnl lock held.
        if slot.is_paused() {
            return Err(EBUSY);
        }
        if polled {
            // SAFETY: The device is registered, the lock is held, and the context enabled.
            unsafe {
                slot.napi
                    .disable(bindings::netdev_queue_type_NETDEV_QUEUE_TYPE_TX)
            };
        }
        // SAFETY: The queue is not paused, and its context is disabled.
        unsafe { slot.pause(&settle) };
        let result = action(TxPaused {
            // SAFETY: As the queue is paused, nobody else gets its state: the poll function does not
            // run, since its context is disabled, and all others look at `paused` once they have the
            // lock.
            state: unsafe { slot.state() },
            stats: TxSlot::stats(slot),
            slot,
        });
        // SAFETY: The queue has been paused above, and its state is not used any more.
        unsafe { slot.resume(&settle) };
        if polled {
            // SAFETY: It has been disabled above.
            unsafe {
                slot.napi
                    .enable(bindings::netdev_queue_type_NETDEV_QUEUE_TYPE_TX)
            };
        }
        Ok(result)
    }

    /// Whether the interface is up, also while the device is frozen. It changes only with the rtnl
    /// lock held.
    pub fn is_up(&self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { bindings::netif_running(self.as_raw()) }
    }
}
