// SPDX-License-Identifier: GPL-2.0

//! What a network driver implements.

use crate::{
    stats::{
        RxTotals,
        TxTotals, //
    },
    Arm,
    Device,
    Done,
    Exclusive,
    Operations,
    RxPoll,
    SkBuff,
    TxAccess,
    TxPoll, //
};
use kernel::str::CStr;

/// What `ethtool -i` shows of a driver.
pub struct DriverInfo<'a> {
    /// The name of the driver.
    pub driver: &'a CStr,
    /// The version of the driver.
    pub version: &'a CStr,
    /// Where the device sits.
    pub bus_info: &'a CStr,
}

/// A driver for network devices.
///
/// The state of a queue is lent by `&mut` to one callback at a time. For a receive queue NAPI sees
/// to that, for a transmit queue the lock of its `netdev_queue`. Everything else is shared.
///
/// This is what each driver has. The rest is in traits of their own, by subject, and counts if it is among
/// [`OPERATIONS`](Self::OPERATIONS).
pub trait Driver: Sized + 'static {
    /// What belongs to the device, shared by all callbacks.
    type Shared: Send + Sync;
    /// What belongs to a receive queue.
    type Rx: Send + Arm;
    /// Counters of a receive queue: written with its queue, read at any time.
    type RxStats: Default + Send + Sync + 'static;
    /// What belongs to a transmit queue.
    type Tx: Send + Arm;
    /// Counters of a transmit queue: written with its queue, read at any time.
    type TxStats: Default + Send + Sync + 'static;

    /// What the driver can do besides. An operation that is not among them is absent from the structures of C, so that
    /// the stack answers as it does for any driver that has not got it.
    const OPERATIONS: Operations<Self> = Operations::new();

    /// Prepares a receive queue before polling starts: fills its ring, also if it is not among those that
    /// are used.
    ///
    /// `ndo_open`, and `ndo_queue_start` for a queue that [the stack manages](crate::QueueManagement): process context, the device
    /// locked, may sleep. Shortage of memory is no error: the first poll comes in any case.
    fn open_rx(
        _device: &Device<Self>,
        _rx: &mut Self::Rx,
        _stats: &Self::RxStats,
        _owner: &Exclusive<'_>,
    ) {
    }

    /// Tells the device what [`open_rx`](Self::open_rx) has put into a ring. All other rings have been filled too.
    /// As for [`open_rx`](Self::open_rx).
    fn start_rx(_rx: &mut Self::Rx, _stats: &Self::RxStats) {}

    /// The queues are being polled. `ndo_open`: process context, both locks held, may sleep.
    fn opened(_device: &Device<Self>) {}

    /// Polling has stopped. `ndo_stop`: process context, both locks held, may sleep.
    fn stopped(_device: &Device<Self>) {}

    /// Drops a transmit queue that has been taken away by [`Device::freeze`], with the packets that
    /// are still in it. Process context, rtnl held, may sleep.
    fn drop_tx(_tx: Self::Tx, _stats: &Self::TxStats) {}

    /// Sends a packet. `ndo_start_xmit`: softirq context, with the lock of the transmit queue.
    ///
    /// `more` says that another packet follows at once, so that the device need not be told yet;
    /// but if it is the last one that the queue takes, it has to be told.
    fn start_xmit(device: &Device<Self>, tx: TxAccess<'_, Self>, skb: SkBuff, more: bool);

    /// Tells the device what it has not been told yet, as another packet was to follow that does not. Nothing, if it is
    /// told of each packet at once.
    ///
    /// Softirq context, with the lock of the transmit queue.
    fn flush_tx(_tx: TxAccess<'_, Self>) {}

    /// Polls a receive queue: softirq context.
    fn poll_rx<'poll>(device: &'poll Device<Self>, poll: RxPoll<'poll, Self>) -> Done<'poll>;

    /// Polls a transmit queue: softirq context, with the lock of the transmit queue.
    fn poll_tx<'poll>(device: &'poll Device<Self>, poll: TxPoll<'poll, Self>) -> Done<'poll>;

    /// Frees what the device has sent of a transmit queue, and does not touch its interrupt: called beside
    /// [`poll_tx`](Self::poll_tx) by netpoll, which sends the kernel's messages (netconsole).
    ///
    /// Any context, also a hard interrupt, with interrupts off and the lock of the transmit queue.
    fn reclaim_tx(tx: TxAccess<'_, Self>);

    /// What the stack wants to know of a receive queue. Any context; does not sleep.
    fn rx_totals(stats: &Self::RxStats) -> RxTotals;

    /// What the stack wants to know of a transmit queue. Any context; does not sleep.
    fn tx_totals(stats: &Self::TxStats) -> TxTotals;

    /// What `ethtool -i` shows. Process context; the device may be locked or not.
    fn info(device: &Device<Self>) -> DriverInfo<'_>;
}
