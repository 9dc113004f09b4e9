// SPDX-License-Identifier: GPL-2.0

//! XDP: programs that see received packets before the stack does.
//!
//! A device has one program for all of its receive queues. The poll function of a queue looks once whether there is
//! one, and has it for as long as it runs. A packet on its way through the program is an [`XdpBuff`], which ends in one
//! [`Verdict`]. What is to be sent is an [`XdpFrame`], whose memory may be another driver's.
//!
//! C headers: [`include/net/xdp.h`](srctree/include/net/xdp.h),
//! [`include/linux/filter.h`](srctree/include/linux/filter.h)

mod attach;
mod buff;
mod bulk;
mod frame;
mod metadata;
mod program;
mod rxq;
mod xmit;

pub use self::{
    attach::{
        Refused,
        Xdp, //
    },
    buff::{
        XdpBuff,
        XdpRoom, //
    },
    bulk::{
        Frames,
        TxBulk, //
    },
    frame::XdpFrame,
    metadata::{
        ForProgram,
        HashType, //
    },
    program::{
        Program,
        Verdict, //
    },
};
pub(crate) use self::{
    metadata::Hash,
    program::{
        decide,
        decide_chunks,
        Slot, //
    },
    rxq::RxqInfo, //
};

use crate::bindings;

/// What a device can do for XDP (`xdp_features` of `struct net_device`).
#[derive(Clone, Copy)]
pub struct XdpFeatures(u32);

impl XdpFeatures {
    /// Runs programs, which may pass, drop and send back.
    pub const BASIC: Self = Self(bindings::netdev_xdp_act_NETDEV_XDP_ACT_BASIC);
    /// Programs may send elsewhere.
    pub const REDIRECT: Self = Self(bindings::netdev_xdp_act_NETDEV_XDP_ACT_REDIRECT);
    /// Takes frames that others send here.
    pub const NDO_XMIT: Self = Self(bindings::netdev_xdp_act_NETDEV_XDP_ACT_NDO_XMIT);
    /// Takes such of several buffers too.
    pub const NDO_XMIT_SG: Self = Self(bindings::netdev_xdp_act_NETDEV_XDP_ACT_NDO_XMIT_SG);
    /// Programs may have packets of several buffers.
    pub const RX_SG: Self = Self(bindings::netdev_xdp_act_NETDEV_XDP_ACT_RX_SG);

    /// Receives into memory of user space, and sends from there.
    pub const XSK_ZEROCOPY: Self = Self(bindings::netdev_xdp_act_NETDEV_XDP_ACT_XSK_ZEROCOPY);

    /// These and `others`.
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// The bits (`NETDEV_XDP_ACT_*`).
    pub(crate) const fn bits(self) -> u32 {
        self.0
    }
}
