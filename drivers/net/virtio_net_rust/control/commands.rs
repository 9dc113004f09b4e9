// SPDX-License-Identifier: GPL-2.0

//! The commands, as the device wants them.

use super::Command;
use kernel::{
    prelude::*,
    virtio::queue::Message, //
};

/// `VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET`: what may be received, as a set of bits. With
/// [`CTRL_GUEST_OFFLOADS`](crate::features::CTRL_GUEST_OFFLOADS).
pub(crate) struct SetGuestOffloads(pub(crate) u64);

impl Command for SetGuestOffloads {
    const NAME: &'static str = "VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET";
    const CLASS: u8 = 5;
    const CODE: u8 = 0;

    fn write(&self, body: &mut Message) -> Result {
        body.u64(self.0)
    }
}

/// `VIRTIO_NET_CTRL_MAC_ADDR_SET`: the MAC address. With
/// [`CTRL_MAC_ADDR`](crate::features::CTRL_MAC_ADDR).
pub(crate) struct SetMac(pub(crate) [u8; 6]);

impl Command for SetMac {
    const NAME: &'static str = "VIRTIO_NET_CTRL_MAC_ADDR_SET";
    const CLASS: u8 = 1;
    const CODE: u8 = 1;

    fn write(&self, body: &mut Message) -> Result {
        body.bytes(&self.0)
    }
}

/// `VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET`: how many pairs of queues the device uses. With
/// [`MQ`](crate::features::MQ).
pub(crate) struct SetQueuePairs(pub(crate) u16);

impl Command for SetQueuePairs {
    const NAME: &'static str = "VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET";
    const CLASS: u8 = 4;
    const CODE: u8 = 0;

    fn write(&self, body: &mut Message) -> Result {
        body.u16(self.0)
    }
}
