// SPDX-License-Identifier: GPL-2.0

//! Counters of the queues. They start at 0 when the device is bound, and only grow.
//!
//! What `ethtool -S` shows has the C driver's names and order. Packets and bytes are not among it:
//! the stack reports them, for each queue (`qstats-get`) and in all.
//!
//! A counter is 64 bits wide, belongs to one queue, and is written only by whoever has the queue: a load and a
//! store. They live as long as the network device, so no sum goes backwards when the interface or a queue goes out
//! of use. A stuck queue counts as `tx_errors`, as in C; a bad length or header as `rx_errors` too, as the kernel's
//! documentation of these counters asks for.

use crate::{
    device_stats,
    health,
    VirtioNet, //
};
use kernel::net::{
    self,
    stats::{
        Counter,
        DeviceValues,
        Gauge,
        Named,
        RxTotals,
        TxTotals, //
    },
    Device,
    Locked, //
};

impl net::Counters for VirtioNet {
    const COUNTERS: &'static [Named<Device<Self>>] = health::COUNTERS;
    const RX_COUNTERS: &'static [Named<Rx>] = RX;
    const TX_COUNTERS: &'static [Named<Tx>] = TX;

    fn read_device_counters(device: &Locked<'_, Self>, values: &mut DeviceValues) {
        device_stats::read(device, values);
    }
}

/// The counters of a receive queue.
#[derive(Default)]
pub struct Rx {
    /// Packets that went to the stack.
    pub(crate) packets: Counter,
    /// Bytes of these packets, without the virtio header.
    pub(crate) bytes: Counter,
    /// Packets that were dropped for want of memory, or by an XDP program.
    pub(crate) drops: Counter,
    /// Packets that an XDP program has seen.
    pub(crate) xdp_packets: Counter,
    /// Packets that an XDP program has sent back.
    pub(crate) xdp_tx: Counter,
    /// Packets that an XDP program has sent elsewhere.
    pub(crate) xdp_redirects: Counter,
    /// Packets that an XDP program has dropped.
    pub(crate) xdp_drops: Counter,
    /// How often the device was told about new buffers.
    pub(crate) kicks: Counter,
    /// Packets of a length that cannot be: shorter than a frame, or longer than what was lent.
    pub(crate) length_errors: Counter,
    /// Packets with a header that contradicts the packet or what was negotiated.
    pub(crate) frame_errors: Counter,
    /// How often there was no memory for a buffer, which is tried again.
    pub(crate) alloc_fail: Counter,
    /// The average length of packets when buffers were lent last, in bytes; 0 if none have been.
    pub(crate) average: Gauge,
}

/// The counters of a transmit queue.
#[derive(Default)]
pub struct Tx {
    /// Packets that the device has taken, as many as there are on the wire.
    pub(crate) packets: Counter,
    /// Bytes of these packets, without the virtio header.
    pub(crate) bytes: Counter,
    /// Packets that XDP had to send.
    pub(crate) xdp_tx: Counter,
    /// Packets that XDP had to send and could not.
    pub(crate) xdp_tx_drops: Counter,
    /// How often the device was told about new packets.
    pub(crate) kicks: Counter,
    /// How often the stack's watchdog found the queue stuck.
    pub(crate) tx_timeouts: Counter,
    /// How often the queue was stopped because it was full.
    pub(crate) stop: Counter,
    /// How often the queue was woken again.
    pub(crate) wake: Counter,
    /// Packets that the queue did not take.
    pub(crate) errors: Counter,
    /// Packets that were taken back from the device.
    pub(crate) drops: Counter,
}

/// One entry of the tables below, for the field of this name.
macro_rules! named {
    ($name:ident) => {
        Named {
            name: stringify!($name),
            value: |stats| stats.$name.get(),
        }
    };
}

/// What `ethtool -S` shows of a receive queue.
pub(crate) const RX: &[Named<Rx>] = &[
    named!(drops),
    named!(xdp_packets),
    named!(xdp_tx),
    named!(xdp_redirects),
    named!(xdp_drops),
    named!(kicks),
];

/// What `ethtool -S` shows of a transmit queue.
pub(crate) const TX: &[Named<Tx>] = &[
    named!(xdp_tx),
    named!(xdp_tx_drops),
    named!(kicks),
    named!(tx_timeouts),
];

impl Rx {
    /// What the stack wants to know. C functions: `virtnet_stats()`, `virtnet_get_queue_stats_rx()`.
    pub(crate) fn totals(&self) -> RxTotals {
        RxTotals {
            packets: self.packets.get(),
            bytes: self.bytes.get(),
            dropped: self.drops.get(),
            length_errors: self.length_errors.get(),
            frame_errors: self.frame_errors.get(),
            alloc_fail: self.alloc_fail.get(),
        }
    }
}

impl Tx {
    /// What the stack wants to know. C functions: `virtnet_stats()`, `virtnet_get_queue_stats_tx()`.
    pub(crate) fn totals(&self) -> TxTotals {
        TxTotals {
            packets: self.packets.get(),
            bytes: self.bytes.get(),
            errors: self.tx_timeouts.get(),
            dropped: self.errors.get().wrapping_add(self.drops.get()),
            fifo_errors: self.errors.get(),
            stop: self.stop.get(),
            wake: self.wake.get(),
        }
    }
}
