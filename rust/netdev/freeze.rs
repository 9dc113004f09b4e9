// SPDX-License-Identifier: GPL-2.0

//! Taking the queues away from a network device that stays, and giving it new ones: while the
//! machine is suspended, for instance.

use crate::{
    bindings,
    ops::Ops,
    rtnl,
    Device,
    Driver, //
};
use kernel::prelude::*;

impl<T: Driver> Device<T> {
    /// Takes the device out of use, and its queues away: they are dropped, those to send by
    /// [`Driver::drop_tx`]. The interface stays, with all that the stack knows of it. But the stack
    /// takes the device for absent: it does not call it, other than to stop it or to read counters,
    /// and does not open it.
    ///
    /// Does nothing if the device is frozen already. Process context. May sleep. Takes the rtnl lock.
    /// C function: `virtnet_freeze_down()`.
    pub fn freeze(&self) {
        let (dev, context) = (self.as_raw(), self.context());

        // The work may take the rtnl lock.
        context.service.disable();
        let rtnl = rtnl::lock();
        if context.frozen.get(&rtnl) {
            // It has been disabled once more than is needed.
            context.service.enable();
            return;
        }
        // SAFETY: By the type invariant.
        unsafe { bindings::netif_device_detach(dev) };
        if context.polled.get(&rtnl) {
            // SAFETY: The contexts are enabled.
            unsafe { Ops::stop_polling(self, &rtnl) };
            T::stopped(self);
        }
        context.frozen.set(true, &rtnl);

        // All are paused before the first one goes, since that resets the device.
        for slot in &context.tx {
            // SAFETY: Who pauses a queue holds the rtnl lock, which has been free, until it goes on;
            // so it is not paused. All contexts are disabled.
            unsafe { slot.pause(|_| ()) };
        }
        for slot in &context.rx {
            slot.paused.set(true);
        }
        for slot in &context.tx {
            // SAFETY: The queue has been paused above, and its context is disabled.
            if let Some(state) = unsafe { slot.replace(None) } {
                T::drop_tx(state, slot.stats());
            }
            // SAFETY: The queue is valid, and paused.
            unsafe { bindings::netdev_tx_reset_queue(slot.queue.as_ptr()) };
        }
        for slot in &context.rx {
            // SAFETY: As above, and the rtnl lock is held.
            drop(unsafe { slot.replace(None) });
        }
    }

    /// Gives new queues to a device that is frozen, has `started` called, and takes it into use
    /// again: opens it, if its interface is up.
    ///
    /// Process context. May sleep. Takes the rtnl lock, which is held for `started`. C function:
    /// `virtnet_restore_up()`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the device is not frozen, or if there is not one state for each queue; all are
    /// dropped.
    pub fn thaw(
        &self,
        pairs: KVec<(T::Rx, T::Tx)>,
        started: impl FnOnce(&Self, &rtnl::Held),
    ) -> Result {
        let (dev, context) = (self.as_raw(), self.context());

        let rtnl = rtnl::lock();
        if !context.frozen.get(&rtnl) || pairs.len() != context.tx.len() {
            return Err(EINVAL);
        }
        let slots = context.rx.iter().zip(&context.tx);
        for ((rx_slot, tx_slot), (rx, tx)) in slots.zip(pairs) {
            // SAFETY: `freeze` has paused the queue, and its context is disabled. The lock is held.
            unsafe { rx_slot.replace(Some(rx)) };
            rx_slot.paused.set(false);
            // SAFETY: As above.
            unsafe {
                tx_slot.replace(Some(tx));
                tx_slot.resume(|tx| {
                    // That of an interface that is up is woken at the end.
                    if !self.is_up() {
                        tx.queue.wake();
                    }
                });
            }
        }
        context.frozen.set(false, &rtnl);
        started(self, &rtnl);
        if self.is_up() {
            // SAFETY: `freeze` has disabled the contexts, and `started` cannot have enabled them.
            unsafe { Ops::start_polling(self, &rtnl) };
        }
        // SAFETY: By the type invariant.
        unsafe { bindings::netif_device_attach(dev) };
        // `freeze` has disabled it.
        context.service.enable();
        if self.is_up() {
            T::opened(self);
        }
        Ok(())
    }
}
