// SPDX-License-Identifier: GPL-2.0

//! What a network driver implements.

use crate::{
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
    Arm,
    Coalesce,
    Device,
    Done,
    Exclusive,
    Features,
    LinkSettings,
    Moderation,
    RingSizes,
    RxMode,
    RxPoll,
    SkBuff,
    TxAccess,
    TxPoll, //
};
use kernel::{
    prelude::*,
    str::CStr, //
};

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

    /// The counters of a receive queue that `ethtool -S` shows, in this order.
    const RX_COUNTERS: &'static [Named<Self::RxStats>];
    /// The counters of a transmit queue that `ethtool -S` shows, in this order.
    const TX_COUNTERS: &'static [Named<Self::TxStats>];

    /// The names of the folder and of the file, in that of a receive queue in sysfs, that show the
    /// length of its buffers: see
    /// [`Allocated::show_rx_buffer_len`](crate::Allocated::show_rx_buffer_len).
    const RX_BUFFER_FILE: (&'static CStr, &'static CStr);

    /// Prepares a receive queue before polling starts: fills its ring, also if it is not among those that
    /// are used.
    ///
    /// `ndo_open`: process context, rtnl held, may sleep. Shortage of memory is no error: the first
    /// poll comes in any case.
    fn open_rx(
        device: &Device<Self>,
        rx: &mut Self::Rx,
        stats: &Self::RxStats,
        owner: &Exclusive<'_>,
    );

    /// Tells the device what [`open_rx`](Self::open_rx) has put into a ring. All other rings have been filled too.
    /// `ndo_open`: process context, rtnl held, may sleep.
    fn start_rx(rx: &mut Self::Rx, stats: &Self::RxStats);

    /// The queues are being polled. `ndo_open`: process context, rtnl held, may sleep.
    fn opened(device: &Device<Self>);

    /// Polling has stopped. `ndo_stop`: process context, rtnl held, may sleep.
    fn stopped(device: &Device<Self>);

    /// Drops a transmit queue that has been taken away by [`Device::freeze`], with the packets that
    /// are still in it. Process context, rtnl held, may sleep.
    fn drop_tx(tx: Self::Tx, stats: &Self::TxStats);

    /// Sends a packet. `ndo_start_xmit`: softirq context, with the lock of the transmit queue.
    ///
    /// `more` says that another packet follows at once, so that the device need not be told yet;
    /// but if it is the last one that the queue takes, it has to be told.
    fn start_xmit(device: &Device<Self>, tx: TxAccess<'_, Self>, skb: SkBuff, more: bool);

    /// Tells the device what it has not been told yet, as another packet was to follow that does not.
    ///
    /// Softirq context, with the lock of the transmit queue.
    fn flush_tx(tx: TxAccess<'_, Self>);

    /// Which of `features` the device has for `skb`, which is about to be sent: what it cannot do the stack does before.
    ///
    /// `ndo_features_check`: softirq context, or process context with softirqs disabled.
    fn features_check(skb: &SkBuff, features: Features) -> Features;

    /// Polls a receive queue: softirq context.
    fn poll_rx<'poll>(device: &'poll Device<Self>, poll: RxPoll<'poll, Self>) -> Done<'poll>;

    /// Polls a transmit queue: softirq context, with the lock of the transmit queue.
    fn poll_tx<'poll>(device: &'poll Device<Self>, poll: TxPoll<'poll, Self>) -> Done<'poll>;

    /// Frees what the device has sent of a transmit queue, and does not touch its interrupt: called beside
    /// [`poll_tx`](Self::poll_tx) by netpoll, which sends the kernel's messages (netconsole).
    ///
    /// Any context, also a hard interrupt, with interrupts off and the lock of the transmit queue.
    fn reclaim_tx(tx: TxAccess<'_, Self>);

    /// The transmit queue has been stopped for longer than the watchdog allows. `ndo_tx_timeout`:
    /// softirq context, with the lock of the transmit queue. The stack sends through none meanwhile.
    fn tx_timeout(device: &Device<Self>, tx: TxAccess<'_, Self>);

    /// What the stack wants to know of a receive queue. Any context; does not sleep.
    fn rx_totals(stats: &Self::RxStats) -> RxTotals;

    /// What the stack wants to know of a transmit queue. Any context; does not sleep.
    fn tx_totals(stats: &Self::TxStats) -> TxTotals;

    /// Reads the counters that [`Device::set_device_counters`] has named; those that cannot be read
    /// stay 0. Not called if there are none.
    ///
    /// `get_ethtool_stats` of ethtool: process context, rtnl held, may sleep.
    fn read_device_counters(device: &Device<Self>, values: &mut DeviceValues);

    /// What the device has counted of the receive queue `queue`; of none, 0 for each counter that it
    /// keeps.
    ///
    /// `get_queue_stats_rx` and `get_base_stats`: process context, rtnl held, may sleep.
    fn rx_reported(device: &Device<Self>, queue: Option<u16>) -> RxReported;

    /// As [`rx_reported`](Self::rx_reported), of a transmit queue.
    fn tx_reported(device: &Device<Self>, queue: Option<u16>) -> TxReported;

    /// The length of the buffers of a receive queue, in bytes.
    ///
    /// Process context, may sleep. Must not take the rtnl lock: whoever takes the file away holds it and
    /// waits for its readers.
    fn rx_buffer_len(device: &Device<Self>, stats: &Self::RxStats) -> u32;

    /// What [`Device::schedule_service`] has asked for: process context, may sleep.
    fn service(device: &Device<Self>);

    /// A CPU has come, or is about to go; `online` are those that stay.
    ///
    /// Process context; may sleep, but must not take the rtnl lock or [`cpu::lock`]: somebody who
    /// holds them may be waiting. It may be called from before the registration succeeds, and until
    /// the device is unregistered.
    fn cpus_changed(device: &Device<Self>, online: &cpu::Online);

    /// Changes the number of queues of either direction that are used to `pairs`, which is from 1
    /// to as many as there are: tells the device, and calls [`Device::set_num_queues`].
    ///
    /// `set_channels` of ethtool: process context, rtnl held, may sleep.
    ///
    /// # Errors
    ///
    /// Any; everything is as before.
    fn set_num_queues(device: &Device<Self>, pairs: u16, rtnl: &rtnl::Held) -> Result;

    /// The sizes of the rings. Process context, rtnl held.
    fn ring_sizes(device: &Device<Self>) -> RingSizes;

    /// The sizes that the rings can have at most. Process context, rtnl held.
    fn max_ring_sizes(device: &Device<Self>) -> RingSizes;

    /// Changes the sizes of the rings to `sizes`, which are at most the largest.
    ///
    /// `set_ringparam` of ethtool: process context, rtnl held, may sleep.
    ///
    /// # Errors
    ///
    /// Any.
    fn set_ring_sizes(device: &Device<Self>, sizes: RingSizes, rtnl: &rtnl::Held) -> Result;

    /// Tells the device its new MAC address, which is one that a station can have.
    ///
    /// `ndo_set_mac_address`: process context, rtnl held, may sleep. The interface may be up.
    ///
    /// # Errors
    ///
    /// Any; the address stays as it is.
    fn set_mac(device: &Device<Self>, address: [u8; 6], rtnl: &rtnl::Held) -> Result;

    /// Has the device receive what the stack wants. Called when the interface is set up, and when
    /// something of it has changed while it is up.
    ///
    /// `ndo_set_rx_mode_async`: process context, rtnl held, may sleep.
    ///
    /// # Errors
    ///
    /// Any: the stack tries again, after one second first, four times in all.
    fn set_rx_mode(device: &Device<Self>, wanted: &RxMode) -> Result;

    /// Has the device receive packets with the VLAN tag `vid` (IEEE 802.1Q), from 0 to 4095.
    ///
    /// `ndo_vlan_rx_add_vid`: process context, rtnl held, may sleep. Called only with
    /// [`filter_vlans`](crate::Allocated::filter_vlans).
    ///
    /// # Errors
    ///
    /// Any: whoever wants the VLAN does not get it.
    fn add_vlan(device: &Device<Self>, vid: u16, rtnl: &rtnl::Held) -> Result;

    /// Has the device receive no packets with the VLAN tag `vid` any more. As for
    /// [`add_vlan`](Self::add_vlan); `ndo_vlan_rx_kill_vid`.
    ///
    /// # Errors
    ///
    /// Any: a line in the log.
    fn remove_vlan(device: &Device<Self>, vid: u16, rtnl: &rtnl::Held) -> Result;

    /// Changes the features that are on from [`Device::features`] to `wanted`.
    ///
    /// `ndo_set_features`: process context, rtnl held, may sleep.
    ///
    /// # Errors
    ///
    /// Any; the features stay as they are.
    fn set_features(device: &Device<Self>, wanted: Features) -> Result;

    /// How fast the link is. Process context, rtnl held.
    fn link_settings(device: &Device<Self>) -> LinkSettings;

    /// Changes what [`link_settings`](Self::link_settings) says, until the device says otherwise.
    ///
    /// `set_link_ksettings` of ethtool: process context, rtnl held, may sleep.
    fn set_link_settings(device: &Device<Self>, settings: LinkSettings, rtnl: &rtnl::Held);

    /// Copies out the indirection table and the key, as far as they are wanted, into slices of the
    /// lengths that [`Allocated::set_rss_sizes`](crate::Allocated::set_rss_sizes) was given.
    ///
    /// `get_rxfh` of ethtool: process context, rtnl held, may sleep.
    ///
    /// # Errors
    ///
    /// Any.
    fn rss(device: &Device<Self>, table: Option<&mut [u32]>, key: Option<&mut [u8]>) -> Result;

    /// Changes the indirection table, the key, or both.
    ///
    /// `set_rxfh` of ethtool: process context, rtnl held, may sleep.
    ///
    /// # Errors
    ///
    /// Any; both stay as they are.
    fn set_rss(
        device: &Device<Self>,
        table: Option<&[u32]>,
        key: Option<&[u8]>,
        rtnl: &rtnl::Held,
    ) -> Result;

    /// What is hashed of the packets of `flow`. Process context, rtnl held, may sleep.
    fn hash_fields(device: &Device<Self>, flow: Flow) -> HashFields;

    /// Changes what is hashed of the packets of `flow`.
    ///
    /// `set_rxfh_fields` of ethtool: process context, rtnl held, may sleep.
    ///
    /// # Errors
    ///
    /// Any; it stays as it is.
    fn set_hash_fields(
        device: &Device<Self>,
        flow: Flow,
        fields: HashFields,
        rtnl: &rtnl::Held,
    ) -> Result;

    /// How interrupts are put off: of all queues, or of the pair `queue`. Process context, rtnl held,
    /// may sleep.
    fn coalesce(device: &Device<Self>, queue: Option<u16>) -> Coalesce;

    /// Changes how interrupts are put off: of all queues, or of the pair `queue`, which is one that
    /// there is.
    ///
    /// `set_coalesce` and `set_per_queue_coalesce` of ethtool: process context, rtnl held, may sleep.
    ///
    /// # Errors
    ///
    /// Any; it stays as it is.
    fn set_coalesce(
        device: &Device<Self>,
        queue: Option<u16>,
        wanted: Coalesce,
        rtnl: &rtnl::Held,
    ) -> Result;

    /// Puts off the interrupts of the receive queue `queue` like this, which adaptive moderation has
    /// found to be best: see [`Device::set_adaptive_rx`].
    ///
    /// Process context, may sleep. Must not take the rtnl lock: somebody who holds it may be waiting.
    fn moderate_rx(device: &Device<Self>, queue: u16, moderation: Moderation);

    /// What `ethtool -i` shows. Process context, rtnl held.
    fn info(device: &Device<Self>) -> DriverInfo<'_>;
}
