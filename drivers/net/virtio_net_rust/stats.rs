// SPDX-License-Identifier: GPL-2.0

//! Counters.

use crate::VirtioNet;
use kernel::net::{
    stats::{
        Counter,
        LinkStats,
        RxTotals,
        TxTotals, //
    },
    Device, //
};

/// The counters of a receive queue.
#[derive(Default)]
pub struct Rx {
    /// Packets that went to the stack.
    pub(crate) packets: Counter,
    /// Bytes of these packets, without the virtio header.
    pub(crate) bytes: Counter,
    /// Packets that were dropped for want of memory.
    pub(crate) drops: Counter,
    /// Packets of a length that cannot be: shorter than a frame, or longer than what was lent.
    pub(crate) length_errors: Counter,
    /// Packets with a header that contradicts the packet or what was negotiated.
    pub(crate) frame_errors: Counter,
    /// How often the device was told about new buffers.
    pub(crate) kicks: Counter,
}

/// The counters of a transmit queue.
#[derive(Default)]
pub struct Tx {
    /// Packets that the device has taken, as many as there are on the wire.
    pub(crate) packets: Counter,
    /// Bytes of these packets, without the virtio header.
    pub(crate) bytes: Counter,
    /// Packets that the queue did not take.
    pub(crate) errors: Counter,
    /// How often the device was told about new packets.
    pub(crate) kicks: Counter,
    /// How often the queue was stopped because it was full.
    pub(crate) stop: Counter,
    /// How often the queue was woken again.
    pub(crate) wake: Counter,
    /// How often the stack's watchdog found the queue stuck.
    pub(crate) tx_timeouts: Counter,
}

/// Adds up the counters of all queues. C function: `virtnet_stats()`.
pub(crate) fn add_up(device: &Device<VirtioNet>, totals: &mut LinkStats) {
    for rx in device.rx_stats() {
        totals.add_rx(&RxTotals {
            packets: rx.packets.get(),
            bytes: rx.bytes.get(),
            dropped: rx.drops.get(),
            length_errors: rx.length_errors.get(),
            frame_errors: rx.frame_errors.get(),
        });
    }
    for tx in device.tx_stats() {
        totals.add_tx(&TxTotals {
            packets: tx.packets.get(),
            bytes: tx.bytes.get(),
            dropped: tx.errors.get(),
            fifo_errors: tx.errors.get(),
        });
    }
}
