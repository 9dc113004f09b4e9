// SPDX-License-Identifier: GPL-2.0

//! Abstractions for network drivers.
//!
//! A driver implements [`Driver`] and takes a network device through its states, which are types:
//! [`Allocated`], then [`Registration`]. What belongs to a queue, a virtqueue for instance, is
//! handed over at registration: from then on the driver is lent it, by `&mut`, in the callbacks
//! that the network stack serialises. Packets are [`SkBuff`] on the way and [`PoolBuffer`] before
//! they are one.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h).

/// What log lines of this crate begin with; each crate needs one.
const __LOG_PREFIX: &[u8] = b"netdev_rust\0";

use kernel::prelude::*;
use netdev_bindings as bindings;

mod allocated;
pub mod cpu;
mod device;
pub mod devlink;
mod dim;
mod driver;
mod ethtool;
pub mod failover;
mod features;
mod glance;
mod lock;
mod mac;
mod name;
mod napi;
mod operations;
mod ops;
mod page_pool;
mod port;
mod queue;
mod rearm;
pub mod rtnl;
mod rx_file;
mod rx_mode;
mod service;
mod skbuff;
pub mod stats;
mod trace;
mod vlan;
mod watchdog;
mod xdp;
mod xsk;

pub use self::{
    allocated::{
        Allocated,
        Registration, //
    },
    device::Device,
    devlink::Devlink,
    dim::AdaptiveRx,
    driver::{
        Driver,
        DriverInfo, //
    },
    ethtool::{
        rss,
        Channels,
        Coalesce,
        Coalescing,
        Counters,
        Link,
        LinkSettings,
        Moderation,
        Registers,
        Reset,
        RingSizes,
        Rings, //
    },
    features::{
        CheckFeatures,
        Features,
        SetFeatures, //
    },
    glance::Glance,
    lock::Locked,
    mac::SetMac,
    name::Name,
    napi::{
        Exclusive,
        Napi,
        Polling, //
    },
    operations::Operations,
    page_pool::{
        Chain,
        NewBuffer,
        PagePool,
        PoolBuffer,
        PoolPage,
        PoolSource, //
    },
    port::PhysPort,
    queue::{
        Done,
        QueueManagement,
        RxAccess,
        RxLent,
        RxPaused,
        RxPoll,
        TxAccess,
        TxGuard,
        TxPaused,
        TxPoll,
        TxQueue, //
    },
    rearm::{
        Arm,
        Rearm, //
    },
    rx_file::RxBufferFile,
    rx_mode::{
        RxMode,
        SetRxMode, //
    },
    service::Serviced,
    skbuff::{
        DropReason,
        Frame,
        RxSkb,
        SkBuff, //
    },
    vlan::VlanFilter,
    watchdog::Watchdog,
    xdp::{
        ForProgram,
        Frames,
        HashType,
        Program,
        Refused,
        TxBulk,
        Verdict,
        Xdp,
        XdpBuff,
        XdpFeatures,
        XdpFrame,
        XdpRoom, //
    },
    xsk::{
        Xsk,
        XskBuff,
        XskChecksum,
        XskChunk,
        XskChunks,
        XskDesc,
        XskPool,
        XskSent,
        XskSetup,
        XskSource,
        XskTaken,
        XskTx, //
    },
};

/// `ETH_HLEN`: the length of an Ethernet header, in bytes.
pub const ETH_HLEN: u32 = 14;

/// `VLAN_HLEN`: the length of a VLAN tag, in bytes.
pub const VLAN_HLEN: u32 = 4;

/// The number of segments that an skb can have: its linear part and `MAX_SKB_FRAGS` fragments.
pub const SKB_SEGMENTS: usize = bindings::MAX_SKB_FRAGS as usize + 1;

/// `EOPNOTSUPP`: the device cannot do that. The kernel's crate has it from Linux 7.3 on.
pub fn not_supported() -> Error {
    // CAST: It is a small positive number.
    Error::from_errno(-(bindings::EOPNOTSUPP as c_int))
}
