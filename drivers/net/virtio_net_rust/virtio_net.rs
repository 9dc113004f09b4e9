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
mod link;
mod offloads;
pub mod parameters;
mod probe;
mod queues;
mod rings;
mod rss;
mod rx;
mod rx_mode;
mod settings;
mod stats;
mod suspend;
mod tx;
mod validate;
mod vlan;

use self::{
    affinity::Affinity,
    control::Control, //
};
use coalesce::Moderations;
use device_stats::DeviceStats;
use kernel::{
    device::{
        Bound,
        Core, //
    },
    net::{
        self,
        cpu,
        rss::{
            Flow,
            HashFields, //
        },
        rtnl,
        stats::{
            DeviceValues,
            Named,
            RxReported,
            RxTotals,
            TxReported,
            TxTotals, //
        },
        Coalesce,
        Device,
        Done,
        DriverInfo,
        Exclusive,
        Features,
        LinkSettings,
        Moderation,
        Registration,
        RingSizes,
        RxMode,
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
    vnet::{
        self,
        Framing, //
    },
};
use link::Link;
use rings::Rings;
use rss::Rss;

/// The driver.
pub struct VirtioNet;

/// What is kept for a bound device.
pub struct Bond {
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
    link: Link,
    moderation: Moderations,
    /// What the device hashes, if it does.
    rss: Option<Rss>,
    /// Which CPUs the queues are for.
    affinity: Affinity,
    vlans: vlan::Vlans,
    device_stats: DeviceStats,
}

impl virtio::Driver for VirtioNet {
    type Data = Bond;

    const FEATURES: &'static [Feature] = features::MODERN;
    const LEGACY_FEATURES: &'static [Feature] = features::LEGACY;

    fn validate(device: &Negotiation<'_>) -> Result {
        validate::validate(device)
    }

    fn probe(device: &virtio::Device<Core<'_>>, attached: Attached) -> Result<Bond> {
        Ok(Bond {
            netdev: probe::probe(device, attached)?,
        })
    }

    fn freeze(_device: &virtio::Device<Core<'_>>, bond: &Bond) {
        suspend::freeze(&bond.netdev);
    }

    fn restore(device: &virtio::Device<Core<'_>>, bond: &Bond) -> Result {
        suspend::restore(device, &bond.netdev)
    }

    fn config_changed(_device: &virtio::Device<Bound>, bond: &Bond) {
        // Reading the configuration may sleep.
        link::changed(&bond.netdev);
    }
}

impl net::Driver for VirtioNet {
    type Shared = Shared;
    type Rx = rx::Queue;
    type RxStats = stats::Rx;
    type Tx = tx::Queue;
    type TxStats = stats::Tx;

    const RX_COUNTERS: &'static [Named<stats::Rx>] = stats::RX;
    const TX_COUNTERS: &'static [Named<stats::Tx>] = stats::TX;

    const RX_BUFFER_FILE: (&'static CStr, &'static CStr) =
        (c"virtio_net", c"mergeable_rx_buffer_size");

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

    #[inline]
    fn features_check(skb: &SkBuff, features: Features) -> Features {
        vnet::features_check(skb, features)
    }

    fn flush_tx(tx: TxAccess<'_, Self>) {
        tx::flush(tx);
    }

    #[inline]
    fn poll_rx<'poll>(device: &'poll Device<Self>, poll: RxPoll<'poll, Self>) -> Done<'poll> {
        rx::poll(device, poll)
    }

    #[inline]
    fn poll_tx<'poll>(_device: &'poll Device<Self>, poll: TxPoll<'poll, Self>) -> Done<'poll> {
        tx::poll(poll)
    }

    fn reclaim_tx(mut tx: TxAccess<'_, Self>) {
        tx::reclaim(&mut tx);
    }

    fn tx_timeout(device: &Device<Self>, tx: TxAccess<'_, Self>) {
        tx::timeout(device, tx);
    }

    fn rx_totals(stats: &stats::Rx) -> RxTotals {
        stats.totals()
    }

    fn tx_totals(stats: &stats::Tx) -> TxTotals {
        stats.totals()
    }

    fn read_device_counters(device: &Device<Self>, values: &mut DeviceValues) {
        device_stats::read(device, values);
    }

    fn rx_reported(device: &Device<Self>, queue: Option<u16>) -> RxReported {
        device_stats::rx(device, queue)
    }

    fn tx_reported(device: &Device<Self>, queue: Option<u16>) -> TxReported {
        device_stats::tx(device, queue)
    }

    fn rx_buffer_len(device: &Device<Self>, stats: &stats::Rx) -> u32 {
        rx::shown_buffer_len(device.shared(), stats)
    }

    fn service(device: &Device<Self>) {
        link::update(device);
        control::settle(device);
    }

    fn cpus_changed(device: &Device<Self>, online: &cpu::Online) {
        device.shared().affinity.update(device, online);
    }

    fn set_num_queues(device: &Device<Self>, pairs: u16, rtnl: &rtnl::Held) -> Result {
        channels::set(device, pairs, rtnl)
    }

    fn ring_sizes(device: &Device<Self>) -> RingSizes {
        device.shared().rings.sizes()
    }

    fn max_ring_sizes(device: &Device<Self>) -> RingSizes {
        device.shared().rings.max()
    }

    fn set_ring_sizes(device: &Device<Self>, sizes: RingSizes, rtnl: &rtnl::Held) -> Result {
        rings::set(device, sizes, rtnl)
    }

    fn set_mac(device: &Device<Self>, address: [u8; 6], rtnl: &rtnl::Held) -> Result {
        address::change(device, address, rtnl)
    }

    fn set_rx_mode(device: &Device<Self>, wanted: &RxMode) -> Result {
        rx_mode::set(device, wanted)
    }

    fn add_vlan(device: &Device<Self>, vid: u16, rtnl: &rtnl::Held) -> Result {
        vlan::add(device, vid, rtnl)
    }

    fn remove_vlan(device: &Device<Self>, vid: u16, rtnl: &rtnl::Held) -> Result {
        vlan::remove(device, vid, rtnl)
    }

    fn set_features(device: &Device<Self>, wanted: Features) -> Result {
        offloads::change(device, wanted)?;
        rss::change(device, wanted).inspect_err(|_| offloads::restore(device, wanted))
    }

    fn rss(device: &Device<Self>, table: Option<&mut [u32]>, key: Option<&mut [u8]>) -> Result {
        rss::get(device.shared(), table, key)
    }

    fn set_rss(
        device: &Device<Self>,
        table: Option<&[u32]>,
        key: Option<&[u8]>,
        _rtnl: &rtnl::Held,
    ) -> Result {
        rss::set(device, table, key)
    }

    fn hash_fields(device: &Device<Self>, flow: Flow) -> HashFields {
        rss::fields(device.shared(), flow)
    }

    fn set_hash_fields(
        device: &Device<Self>,
        flow: Flow,
        fields: HashFields,
        _rtnl: &rtnl::Held,
    ) -> Result {
        rss::set_fields(device, flow, fields)
    }

    fn coalesce(device: &Device<Self>, queue: Option<u16>) -> Coalesce {
        coalesce::get(device.shared(), queue)
    }

    fn set_coalesce(
        device: &Device<Self>,
        queue: Option<u16>,
        wanted: Coalesce,
        rtnl: &rtnl::Held,
    ) -> Result {
        coalesce::set(device, queue, wanted, rtnl)
    }

    fn moderate_rx(device: &Device<Self>, queue: u16, moderation: Moderation) {
        coalesce::adapt_rx(device, queue, moderation);
    }

    fn link_settings(device: &Device<Self>) -> LinkSettings {
        device.shared().link.settings()
    }

    fn set_link_settings(device: &Device<Self>, settings: LinkSettings, _rtnl: &rtnl::Held) {
        device.shared().link.set_settings(settings);
    }

    fn info(device: &Device<Self>) -> DriverInfo<'_> {
        DriverInfo {
            driver: c"virtio_net_rust",
            version: c"1.0.0",
            bus_info: device.shared().device.bus_name(),
        }
    }
}
