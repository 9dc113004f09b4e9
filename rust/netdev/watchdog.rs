// SPDX-License-Identifier: GPL-2.0

//! Transmit queues that have been stopped for too long.

use crate::{
    bindings,
    ops::Ops,
    queue::TxGuard,
    Device,
    Driver,
    Operations,
    TxAccess, //
};
use kernel::prelude::*;

/// A driver that is told of transmit queues that have been stopped for too long.
pub trait Watchdog: Driver {
    /// The transmit queue has been stopped for longer than the watchdog allows. `ndo_tx_timeout`:
    /// softirq context, with the lock of the transmit queue. The stack sends through none meanwhile.
    fn tx_timeout(device: &Device<Self>, tx: TxAccess<'_, Self>);
}

impl<T: Watchdog> Operations<T> {
    /// The stack watches transmit queues.
    pub const fn watchdog(mut self) -> Self {
        self.netdev.ndo_tx_timeout = Some(Ops::<T>::tx_timeout);
        self
    }
}

impl<T: Watchdog> Ops<T> {
    /// `ndo_tx_timeout`.
    ///
    /// # Safety
    ///
    /// See [`Ops`].
    unsafe extern "C" fn tx_timeout(dev: *mut bindings::net_device, queue: c_uint) {
        // SAFETY: See the type.
        let device = unsafe { Device::<T>::from_raw(dev) };
        let Some(slot) = device.context().tx.get(queue as usize) else {
            return;
        };
        // Whoever has the lock is polling the queue. If that is not enough the watchdog comes again.
        // SAFETY: The budget is 0.
        if let Some(mut guard) = unsafe { TxGuard::try_lock(slot, 0) } {
            T::tx_timeout(device, guard.access());
        }
    }
}
