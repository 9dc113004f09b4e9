// SPDX-License-Identifier: GPL-2.0

//! Taking the queues away from a network device that stays, and giving it new ones: while the
//! machine is suspended, for instance, or the device is reset.

use crate::{
    bindings,
    ops::Ops,
    rtnl,
    Device,
    Driver,
    Locked, //
};
use kernel::prelude::*;

/// The states of the transmit and the receive queues, by index.
type Taken<T> = (
    KVVec<Option<<T as Driver>::Tx>>,
    KVVec<Option<<T as Driver>::Rx>>,
);

impl<T: Driver> Device<T> {
    /// Takes the device out of use, and its queues away: they are dropped, those to send by
    /// [`Driver::drop_tx`]. The interface stays, with all that the stack knows of it. But the stack
    /// takes the device for absent: it does not call it, other than to stop it or to read counters,
    /// and does not open it.
    ///
    /// The queues are taken from their places with the locks that they are used with, and dropped without any: a device that takes
    /// its time to be reset holds up nobody else.
    ///
    /// Does nothing if the device is frozen already. Process context. May sleep. Takes the rtnl lock and that of the device.
    /// C function: `virtnet_freeze_down()`.
    pub fn freeze(&self) {
        let context = self.context();
        // The work may take the rtnl lock.
        context.service.disable();
        match self.take_queues() {
            Some((tx, rx)) => {
                for (state, slot) in tx.into_iter().zip(&context.tx) {
                    if let Some(state) = state {
                        T::drop_tx(state, slot.stats());
                    }
                }
                drop(rx);
            }
            // It has been disabled once more than is needed.
            None => context.service.enable(),
        }
    }

    /// Takes the queues away, in their order, unless that has been done. One for which there is no memory is dropped here.
    fn take_queues(&self) -> Option<Taken<T>> {
        let context = self.context();
        let (mut all_tx, mut all_rx) = (KVVec::new(), KVVec::new());
        // What has no room is dropped with the locks held.
        let _ = all_tx.reserve(context.tx.len(), GFP_KERNEL);
        let _ = all_rx.reserve(context.rx.len(), GFP_KERNEL);
        let rtnl = rtnl::lock();
        let device = self.lock(&rtnl);

        if context.is_gone(&device) {
            return None;
        }
        // The point of no return: the old states go, and new ones are not known before `thaw`.
        // SAFETY: By the type invariant.
        unsafe { bindings::netif_device_detach(self.as_raw()) };
        if Ops::<T>::stop_polling(&device) {
            T::stopped(self);
        }
        // All are stopped before the first one goes, since that resets the device.
        for tx in &context.tx {
            tx.with_access(|access| access.queue.stop());
        }
        for tx in &context.tx {
            // Who has it lent holds the lock, which has been free, until it is back.
            let _ = tx.slot.remove(&*device);
            // SAFETY: The queue is valid, and nobody sends through it. The context is disabled, and both locks are held where
            // the state is taken.
            let state = unsafe {
                bindings::netdev_tx_reset_queue(tx.queue.as_ptr());
                tx.with_lock(|| tx.slot.replace(None))
            };
            if let Err(rejected) = all_tx.push_within_capacity(state) {
                if let Some(state) = rejected.0 {
                    T::drop_tx(state, tx.stats());
                }
            }
        }
        for rx in &context.rx {
            let _ = rx.slot.remove(&*device);
            // SAFETY: The context is disabled, and the lock of the device is held.
            let state = unsafe { rx.slot.replace(None) };
            drop(all_rx.push_within_capacity(state));
        }
        Some((all_tx, all_rx))
    }

    /// Gives new queues to a device that is frozen, has `started` called, and takes it into use
    /// again: opens it, if its interface is up.
    ///
    /// Process context. May sleep. Takes the rtnl lock and that of the device, which are held for `started`. C function:
    /// `virtnet_restore_up()`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the device is not frozen, or if there is not one state for each queue; all are
    /// dropped.
    pub fn thaw(
        &self,
        pairs: KVec<(T::Rx, T::Tx)>,
        started: impl FnOnce(&Locked<'_, T>, &rtnl::Held),
    ) -> Result {
        let (dev, context) = (self.as_raw(), self.context());

        let rtnl = rtnl::lock();
        let device = self.lock(&rtnl);
        if !context.is_gone(&device) || pairs.len() != context.tx.len() {
            return Err(EINVAL);
        }
        // The point of no return: the new states are switched to, all of which the caller has made.
        for ((rx, tx), (rx_state, tx_state)) in context.rx.iter().zip(&context.tx).zip(pairs) {
            // SAFETY: `freeze` has disabled the contexts, and the lock of the device is held, as is that of the transmit queue. The
            // queues are gone.
            unsafe {
                rx.slot.replace(Some(rx_state));
                rx.slot.insert(&*device);
                tx.with_lock(|| tx.slot.replace(Some(tx_state)));
                tx.slot.insert(&*device);
            }
            // That of an interface that is up is woken at the end.
            if !self.is_up() {
                tx.with_access(|access| {
                    access.queue.wake();
                });
            }
        }
        started(&device, &rtnl);
        if self.is_up() {
            Ops::<T>::start_polling(&device);
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
