// SPDX-License-Identifier: GPL-2.0

//! Statistics of single queues, over netlink (`qstats-get`).
//!
//! The stack asks for the queues that are used now, and for the sums over those that are not.
//!
//! C header: [`include/net/netdev_queues.h`](srctree/include/net/netdev_queues.h)

use super::{
    RxReported,
    RxTotals,
    TxReported,
    TxTotals, //
};
use crate::{
    bindings,
    queue::{
        RxSlot,
        TxSlot, //
    },
    Device,
    Driver,
    Locked,
    Operations, //
};
use core::marker::PhantomData;
use kernel::prelude::*;

/// The callbacks for the driver `T`.
///
/// # Safety of the callbacks
///
/// The stack calls them for a registered device, to which they belong, with its lock held. The
/// statistics are its own. It has marked all fields as not known; those that a callback does not
/// write to are not reported.
pub(crate) struct QueueStatOps<T: Driver>(PhantomData<T>);

impl<T: Driver> QueueStatOps<T> {
    pub(crate) const OPS: &'static bindings::netdev_stat_ops = &bindings::netdev_stat_ops {
        get_queue_stats_rx: Some(Self::get_queue_stats_rx),
        get_queue_stats_tx: Some(Self::get_queue_stats_tx),
        get_base_stats: Some(Self::get_base_stats),
    };

    /// # Safety
    ///
    /// See the type. The lock is held for the lifetime, which is that of the call.
    unsafe fn locked<'a>(dev: *mut bindings::net_device) -> Locked<'a, T> {
        // SAFETY: By the requirement of this function.
        unsafe { Locked::assume(Device::from_raw(dev)) }
    }

    /// `get_queue_stats_rx`.
    ///
    /// # Safety
    ///
    /// See the type.
    unsafe extern "C" fn get_queue_stats_rx(
        dev: *mut bindings::net_device,
        index: c_int,
        stats: *mut bindings::netdev_queue_stats_rx,
    ) {
        // SAFETY: See the type.
        let (device, stats) = unsafe { (Self::locked(dev), &mut *stats) };
        // CAST: A negative index becomes one that no queue has.
        if let Some(slot) = device.context().rx.get(index as usize) {
            report_rx(stats, &T::rx_totals(RxSlot::stats(slot)));
            // CAST: There are no more queues than a `u16` can count.
            if let Some(reported) = T::OPERATIONS.rx_reported {
                reported(&device, Some(index as u16)).report(stats);
            }
        }
    }

    /// `get_queue_stats_tx`.
    ///
    /// # Safety
    ///
    /// See the type.
    unsafe extern "C" fn get_queue_stats_tx(
        dev: *mut bindings::net_device,
        index: c_int,
        stats: *mut bindings::netdev_queue_stats_tx,
    ) {
        // SAFETY: See the type.
        let (device, stats) = unsafe { (Self::locked(dev), &mut *stats) };
        // CAST: As above.
        if let Some(slot) = device.context().tx.get(index as usize) {
            report_tx(stats, &T::tx_totals(TxSlot::stats(slot)));
            // CAST: As above.
            if let Some(reported) = T::OPERATIONS.tx_reported {
                reported(&device, Some(index as u16)).report(stats);
            }
        }
    }

    /// `get_base_stats`: what belongs to no queue that is used now. Counters outlive the use of
    /// their queue, so these are those of the other queues. What is set here is complete.
    ///
    /// # Safety
    ///
    /// See the type.
    unsafe extern "C" fn get_base_stats(
        dev: *mut bindings::net_device,
        rx: *mut bindings::netdev_queue_stats_rx,
        tx: *mut bindings::netdev_queue_stats_tx,
    ) {
        // SAFETY: See the type. The sum is over queues that `get_queue_stats_rx` and
        // `get_queue_stats_tx` know.
        unsafe {
            let device = Self::locked(dev);
            let context = device.context();
            report_rx(&mut *rx, &RxTotals::default());
            report_tx(&mut *tx, &TxTotals::default());
            if let Some(reported) = T::OPERATIONS.rx_reported {
                reported(&device, None).report(&mut *rx);
            }
            if let Some(reported) = T::OPERATIONS.tx_reported {
                reported(&device, None).report(&mut *tx);
            }
            bindings::netdev_stat_queue_sum(
                dev,
                (*dev).real_num_rx_queues as c_int,
                context.rx.len() as c_int,
                rx,
                (*dev).real_num_tx_queues as c_int,
                context.tx.len() as c_int,
                tx,
            );
        }
    }
}

fn report_rx(stats: &mut bindings::netdev_queue_stats_rx, rx: &RxTotals) {
    stats.packets = rx.packets;
    stats.bytes = rx.bytes;
    stats.alloc_fail = rx.alloc_fail;
}

fn report_tx(stats: &mut bindings::netdev_queue_stats_tx, tx: &TxTotals) {
    stats.packets = tx.packets;
    stats.bytes = tx.bytes;
    stats.stop = tx.stop;
    stats.wake = tx.wake;
}

/// A driver whose device counts by itself.
pub trait DeviceReports: Driver {
    /// What the device has counted of the receive queue `queue`; of none, 0 for each counter that it
    /// keeps.
    ///
    /// `get_queue_stats_rx` and `get_base_stats`: process context, the device locked, may sleep.
    fn rx_reported(device: &Locked<'_, Self>, queue: Option<u16>) -> RxReported;

    /// As [`rx_reported`](Self::rx_reported), of a transmit queue.
    fn tx_reported(device: &Locked<'_, Self>, queue: Option<u16>) -> TxReported;
}

impl<T: DeviceReports> Operations<T> {
    /// The device counts by itself.
    pub const fn device_reports(mut self) -> Self {
        self.rx_reported = Some(T::rx_reported);
        self.tx_reported = Some(T::tx_reported);
        self
    }
}
