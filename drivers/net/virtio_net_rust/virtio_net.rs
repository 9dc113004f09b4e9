// SPDX-License-Identifier: GPL-2.0

//! Network driver for virtio devices (virtio 1.3, section 5.1).
//!
//! Pairs of a receive and a transmit queue, each polled by NAPI. Receive buffers come from a
//! page_pool; they hold one packet each, of one page or of many, or are merged by the device where
//! it can. Through a control queue the device is told what to do.
//!
//! The in-tree driver is `drivers/net/virtio_net.c`. Names that users see are the same here.

mod address;
mod affinity;
mod channels;
mod coalesce;
mod config;
mod control;
mod device_stats;
mod features;
mod health;
mod link;
mod manage;
mod offloads;
pub mod parameters;
mod probe;
mod queues;
mod registers;
mod rings;
mod rss;
mod rx;
mod rx_mode;
mod settings;
mod standby;
mod stats;
mod suspend;
mod tx;
mod validate;
mod vlan;
mod xdp;
mod xsk;

use self::{
    affinity::Affinity,
    control::Control, //
};
use channels::frames::FramePairs;
use coalesce::Moderations;
use device_stats::DeviceStats;
use health::Health;
use kernel::{
    device::{
        Bound,
        Core, //
    },
    net::{
        self,
        stats::{
            RxTotals,
            TxTotals, //
        },
        Device,
        Done,
        DriverInfo,
        Exclusive,
        Operations,
        Registration,
        RxPoll,
        SkBuff,
        TxAccess,
        TxPoll, //
    },
    prelude::*,
    virtio::{
        self,
        Attached,
        Feature,
        Negotiation, //
    },
    vnet::Framing,
};
use link::Link;
use manage::DmaDevices;
use rings::Rings;
use rss::Rss;

/// The driver.
pub struct VirtioNet;

/// What is kept for a bound device: its driver data.
pub struct DrvData {
    netdev: Registration<VirtioNet>,
}

/// What the callbacks of the network device share.
pub struct Shared {
    device: Attached,
    framing: Framing,
    /// What receive buffers are.
    mode: rx::Mode,
    /// Where the device takes commands, if it does.
    control: Option<Control>,
    rings: Rings,
    dma_devices: DmaDevices,
    frame_pairs: FramePairs,
    link: Link,
    moderation: Moderations,
    /// What the device hashes, if it does.
    rss: Option<Rss>,
    /// Which CPUs the queues are for.
    affinity: Affinity,
    vlans: vlan::Vlans,
    device_stats: DeviceStats,
    health: Health,
}

impl virtio::Driver for VirtioNet {
    type Data = DrvData;

    const FEATURES: &'static [Feature] = features::MODERN;
    const LEGACY_FEATURES: &'static [Feature] = features::LEGACY;

    fn validate(device: &Negotiation<'_>) -> Result {
        validate::validate(device)
    }

    fn probe(device: &virtio::Device<Core<'_>>, attached: Attached) -> Result<DrvData> {
        Ok(DrvData {
            netdev: probe::probe(device, attached)?,
        })
    }

    fn freeze(_device: &virtio::Device<Core<'_>>, data: &DrvData) {
        suspend::freeze(&data.netdev);
    }

    fn restore(device: &virtio::Device<Core<'_>>, data: &DrvData) -> Result {
        suspend::restore(device, &data.netdev)
    }

    fn config_changed(_device: &virtio::Device<Bound>, data: &DrvData) {
        // Reading the configuration may sleep.
        link::changed(&data.netdev);
    }
}

impl net::Driver for VirtioNet {
    type Shared = Shared;
    type Rx = rx::Queue;
    type RxStats = stats::Rx;
    type Tx = tx::Queue;
    type TxStats = stats::Tx;

    const OPERATIONS: Operations<Self> = Operations::new()
        .set_mac()
        .phys_port()
        .set_rx_mode()
        .vlan_filter()
        .set_features()
        .check_features()
        .watchdog()
        .serviced()
        .cpu_hotplug(c"virtio/net_rust:online")
        .channels()
        .rings()
        .link()
        .rss()
        .coalescing()
        .counters()
        .device_reports()
        .reset()
        .registers()
        .devlink()
        .xdp()
        .xsk();

    fn open_rx(
        device: &Device<Self>,
        queue: &mut rx::Queue,
        stats: &stats::Rx,
        owner: &Exclusive<'_>,
    ) {
        // What is missing now is added when the queue is first polled, right after it is opened.
        queue.fill(device, stats, owner);
    }

    fn start_rx(queue: &mut rx::Queue, stats: &stats::Rx) {
        queue.notify(stats);
    }

    fn opened(device: &Device<Self>) {
        link::opened(device);
    }

    fn stopped(device: &Device<Self>) {
        device.carrier_off();
    }

    fn drop_tx(queue: tx::Queue, stats: &stats::Tx) {
        queue.close(stats);
    }

    #[inline]
    fn start_xmit(device: &Device<Self>, tx: TxAccess<'_, Self>, skb: SkBuff, more: bool) {
        tx::start_xmit(device.shared(), tx, skb, more);
    }

    fn flush_tx(tx: TxAccess<'_, Self>) {
        tx::flush(tx);
    }

    #[inline]
    fn poll_rx<'poll>(device: &'poll Device<Self>, poll: RxPoll<'poll, Self>) -> Done<'poll> {
        rx::poll(device, poll)
    }

    #[inline]
    fn poll_tx<'poll>(device: &'poll Device<Self>, poll: TxPoll<'poll, Self>) -> Done<'poll> {
        tx::poll(device.shared(), poll)
    }

    fn reclaim_tx(tx: TxAccess<'_, Self>) {
        tx::reclaim_for_netpoll(tx);
    }

    fn rx_totals(stats: &stats::Rx) -> RxTotals {
        stats.totals()
    }

    fn tx_totals(stats: &stats::Tx) -> TxTotals {
        stats.totals()
    }

    fn info(device: &Device<Self>) -> DriverInfo<'_> {
        DriverInfo {
            driver: c"virtio_net_rust",
            version: c"1.0.0",
            bus_info: device.shared().device.bus_name(),
        }
    }
}
