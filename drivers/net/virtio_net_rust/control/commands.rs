// SPDX-License-Identifier: GPL-2.0

//! The commands, as the device wants them.

use super::Command;
use crate::device_stats::Queue;
use kernel::{
    net::Moderation,
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

/// `VIRTIO_NET_CTRL_RX_PROMISC`: whether everything is received. With
/// [`CTRL_RX`](crate::features::CTRL_RX).
pub(crate) struct SetPromiscuous(pub(crate) bool);

impl Command for SetPromiscuous {
    const NAME: &'static str = "VIRTIO_NET_CTRL_RX_PROMISC";
    const CLASS: u8 = 0;
    const CODE: u8 = 0;

    fn write(&self, body: &mut Message) -> Result {
        body.u8(self.0.into())
    }
}

/// `VIRTIO_NET_CTRL_RX_ALLMULTI`: whether all packets to groups are received. With
/// [`CTRL_RX`](crate::features::CTRL_RX).
pub(crate) struct SetAllMulticast(pub(crate) bool);

impl Command for SetAllMulticast {
    const NAME: &'static str = "VIRTIO_NET_CTRL_RX_ALLMULTI";
    const CLASS: u8 = 0;
    const CODE: u8 = 1;

    fn write(&self, body: &mut Message) -> Result {
        body.u8(self.0.into())
    }
}

/// `VIRTIO_NET_CTRL_MAC_TABLE_SET`: what is received besides the device's own address and broadcasts.
/// With [`CTRL_RX`](crate::features::CTRL_RX).
pub(crate) struct SetMacTable<'a> {
    pub(crate) unicast: &'a [[u8; 6]],
    pub(crate) multicast: &'a [[u8; 6]],
}

impl Command for SetMacTable<'_> {
    const NAME: &'static str = "VIRTIO_NET_CTRL_MAC_TABLE_SET";
    const CLASS: u8 = 1;
    const CODE: u8 = 0;

    fn write(&self, body: &mut Message) -> Result {
        for table in [self.unicast, self.multicast] {
            let bytes = table.as_flattened();
            body.reserve(size_of::<u32>() + bytes.len())?;
            body.u32(u32::try_from(table.len())?)?;
            body.bytes(bytes)?;
            body.end_segment()?;
        }
        Ok(())
    }
}

/// `VIRTIO_NET_CTRL_VLAN_ADD`: packets of this VLAN are received. With
/// [`CTRL_VLAN`](crate::features::CTRL_VLAN).
pub(crate) struct AddVlan(pub(crate) u16);

impl Command for AddVlan {
    const NAME: &'static str = "VIRTIO_NET_CTRL_VLAN_ADD";
    const CLASS: u8 = 2;
    const CODE: u8 = 0;

    fn write(&self, body: &mut Message) -> Result {
        body.u16(self.0)
    }
}

/// `VIRTIO_NET_CTRL_VLAN_DEL`: packets of this VLAN are not received any more. With
/// [`CTRL_VLAN`](crate::features::CTRL_VLAN).
pub(crate) struct RemoveVlan(pub(crate) u16);

impl Command for RemoveVlan {
    const NAME: &'static str = "VIRTIO_NET_CTRL_VLAN_DEL";
    const CLASS: u8 = 2;
    const CODE: u8 = 1;

    fn write(&self, body: &mut Message) -> Result {
        body.u16(self.0)
    }
}

/// `VIRTIO_NET_CTRL_ANNOUNCE_ACK`: the neighbours have been told. With
/// [`GUEST_ANNOUNCE`](crate::features::GUEST_ANNOUNCE).
pub(crate) struct AnnounceAck;

impl Command for AnnounceAck {
    const NAME: &'static str = "VIRTIO_NET_CTRL_ANNOUNCE_ACK";
    const CLASS: u8 = 3;
    const CODE: u8 = 0;

    fn write(&self, _body: &mut Message) -> Result {
        Ok(())
    }
}

/// `VIRTIO_NET_CTRL_MQ_RSS_CONFIG`: what is hashed, and how a receive queue is chosen by that. With
/// [`RSS`](crate::features::RSS).
pub(crate) struct SetRss<'a> {
    pub(crate) hash_types: u32,
    /// The queue for each value of the hash's lowest bits: a power of two of them.
    pub(crate) table: &'a [u16],
    /// How many pairs of queues the device uses.
    pub(crate) pairs: u16,
    /// Up to 255 bytes.
    pub(crate) key: &'a [u8],
}

/// The queue of packets without a hash.
const UNCLASSIFIED: u16 = 0;

impl Command for SetRss<'_> {
    const NAME: &'static str = "VIRTIO_NET_CTRL_MQ_RSS_CONFIG";
    const CLASS: u8 = 4;
    const CODE: u8 = 1;

    fn write(&self, body: &mut Message) -> Result {
        let mask = self.table.len().checked_sub(1).ok_or(EINVAL)?;
        body.reserve(2 * self.table.len())?;
        body.u32(self.hash_types)?;
        body.u16(u16::try_from(mask)?)?;
        body.u16(UNCLASSIFIED)?;
        for queue in self.table {
            body.u16(*queue)?;
        }
        body.u16(self.pairs)?;
        body.u8(u8::try_from(self.key.len())?)?;
        body.bytes(self.key)
    }
}

/// `VIRTIO_NET_CTRL_MQ_HASH_CONFIG`: what is hashed. With
/// [`HASH_REPORT`](crate::features::HASH_REPORT), and without [`RSS`](crate::features::RSS).
pub(crate) struct SetHash<'a> {
    pub(crate) hash_types: u32,
    /// Up to 255 bytes.
    pub(crate) key: &'a [u8],
}

impl Command for SetHash<'_> {
    const NAME: &'static str = "VIRTIO_NET_CTRL_MQ_HASH_CONFIG";
    const CLASS: u8 = 4;
    const CODE: u8 = 2;

    fn write(&self, body: &mut Message) -> Result {
        body.u32(self.hash_types)?;
        // Reserved.
        body.bytes(&[0; 8])?;
        body.u8(u8::try_from(self.key.len())?)?;
        body.bytes(self.key)
    }
}

/// `VIRTIO_NET_CTRL_STATS_QUERY`: which types of statistics the device keeps, as a set of bits (64
/// bits, little-endian). With [`DEVICE_STATS`](crate::features::DEVICE_STATS).
pub(crate) struct QueryStats;

impl Command for QueryStats {
    const NAME: &'static str = "VIRTIO_NET_CTRL_STATS_QUERY";
    const CLASS: u8 = 8;
    const CODE: u8 = 0;

    fn write(&self, _body: &mut Message) -> Result {
        Ok(())
    }
}

/// `VIRTIO_NET_CTRL_STATS_GET`: the statistics of virtqueues, of each the set of types that are
/// wanted. With [`DEVICE_STATS`](crate::features::DEVICE_STATS).
pub(crate) struct GetStats<'a>(pub(crate) &'a [(Queue, u64)]);

impl Command for GetStats<'_> {
    const NAME: &'static str = "VIRTIO_NET_CTRL_STATS_GET";
    const CLASS: u8 = 8;
    const CODE: u8 = 1;

    fn write(&self, body: &mut Message) -> Result {
        for &(queue, types) in self.0 {
            body.u16(queue.number())?;
            // Reserved.
            body.bytes(&[0; 6])?;
            body.u64(types)?;
        }
        Ok(())
    }
}

/// `VIRTIO_NET_CTRL_NOTF_COAL_TX_SET`: when to raise the interrupts of all transmit queues. With
/// [`NOTF_COAL`](crate::features::NOTF_COAL), as the next one.
pub(crate) struct SetTxModeration(pub(crate) Moderation);

impl Command for SetTxModeration {
    const NAME: &'static str = "VIRTIO_NET_CTRL_NOTF_COAL_TX_SET";
    const CLASS: u8 = 6;
    const CODE: u8 = 0;

    fn write(&self, body: &mut Message) -> Result {
        write_moderation(self.0, body)
    }
}

/// `VIRTIO_NET_CTRL_NOTF_COAL_RX_SET`: when to raise the interrupts of all receive queues.
pub(crate) struct SetRxModeration(pub(crate) Moderation);

impl Command for SetRxModeration {
    const NAME: &'static str = "VIRTIO_NET_CTRL_NOTF_COAL_RX_SET";
    const CLASS: u8 = 6;
    const CODE: u8 = 1;

    fn write(&self, body: &mut Message) -> Result {
        write_moderation(self.0, body)
    }
}

/// `VIRTIO_NET_CTRL_NOTF_COAL_VQ_SET`: when to raise the interrupt of the virtqueue of this number.
/// With [`VQ_NOTF_COAL`](crate::features::VQ_NOTF_COAL).
pub(crate) struct SetQueueModeration(pub(crate) u16, pub(crate) Moderation);

impl Command for SetQueueModeration {
    const NAME: &'static str = "VIRTIO_NET_CTRL_NOTF_COAL_VQ_SET";
    const CLASS: u8 = 6;
    const CODE: u8 = 2;

    fn write(&self, body: &mut Message) -> Result {
        body.u16(self.0)?;
        // Reserved.
        body.u16(0)?;
        write_moderation(self.1, body)
    }
}

fn write_moderation(moderation: Moderation, body: &mut Message) -> Result {
    body.u32(moderation.frames)?;
    body.u32(moderation.usecs)
}
