// SPDX-License-Identifier: GPL-2.0

//! The commands, as the device wants them.

use super::Command;

/// `VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET`: what may be received, as a set of bits. With
/// [`CTRL_GUEST_OFFLOADS`](crate::features::CTRL_GUEST_OFFLOADS).
pub(crate) struct SetGuestOffloads(pub(crate) u64);

impl Command for SetGuestOffloads {
    const NAME: &'static str = "VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET";
    const CLASS: u8 = 5;
    const CODE: u8 = 0;
    type Bytes = [u8; 8];

    fn bytes(&self, little_endian: bool) -> Self::Bytes {
        if little_endian {
            self.0.to_le_bytes()
        } else {
            self.0.to_be_bytes()
        }
    }
}

/// `VIRTIO_NET_CTRL_MAC_ADDR_SET`: the MAC address. With
/// [`CTRL_MAC_ADDR`](crate::features::CTRL_MAC_ADDR).
pub(crate) struct SetMac(pub(crate) [u8; 6]);

impl Command for SetMac {
    const NAME: &'static str = "VIRTIO_NET_CTRL_MAC_ADDR_SET";
    const CLASS: u8 = 1;
    const CODE: u8 = 1;
    type Bytes = [u8; 6];

    fn bytes(&self, _little_endian: bool) -> Self::Bytes {
        self.0
    }
}

/// `VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET`: how many pairs of queues the device uses. With
/// [`MQ`](crate::features::MQ).
pub(crate) struct SetQueuePairs(pub(crate) u16);

impl Command for SetQueuePairs {
    const NAME: &'static str = "VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET";
    const CLASS: u8 = 4;
    const CODE: u8 = 0;
    type Bytes = [u8; 2];

    fn bytes(&self, little_endian: bool) -> Self::Bytes {
        if little_endian {
            self.0.to_le_bytes()
        } else {
            self.0.to_be_bytes()
        }
    }
}
