// SPDX-License-Identifier: GPL-2.0

//! The configuration space of a network device (virtio 1.3, section 5.1.4).

use kernel::virtio::config::Field;

/// The MAC address. With [`MAC`](crate::features::MAC).
pub(crate) const MAC: Field<[u8; 6]> = Field::at(0);

/// Bits `VIRTIO_NET_S_*`. With [`STATUS`](crate::features::STATUS).
pub(crate) const STATUS: Field<u16> = Field::at(6);

/// The number of pairs of queues. With [`MQ`](crate::features::MQ) or [`RSS`](crate::features::RSS).
pub(crate) const MAX_VIRTQUEUE_PAIRS: Field<u16> = Field::at(8);

/// The largest MTU, in bytes. With [`MTU`](crate::features::MTU).
pub(crate) const MTU: Field<u16> = Field::at(10);

/// The speed of the link, in Mbit/s. With [`SPEED_DUPLEX`](crate::features::SPEED_DUPLEX).
pub(crate) const SPEED: Field<u32> = Field::at(12);

/// Whether the link is full duplex: 0 or 1, or not known. With
/// [`SPEED_DUPLEX`](crate::features::SPEED_DUPLEX).
pub(crate) const DUPLEX: Field<[u8; 1]> = Field::at(16);

/// The largest key for hashes, in bytes. With [`RSS`](crate::features::RSS) or
/// [`HASH_REPORT`](crate::features::HASH_REPORT), as the types below.
pub(crate) const RSS_MAX_KEY_SIZE: Field<[u8; 1]> = Field::at(17);

/// The largest number of entries of the indirection table. With [`RSS`](crate::features::RSS).
pub(crate) const RSS_MAX_INDIRECTION_TABLE_LENGTH: Field<u16> = Field::at(18);

/// Bits `VIRTIO_NET_RSS_HASH_TYPE_*`: the hashes that the device can compute.
pub(crate) const SUPPORTED_HASH_TYPES: Field<u32> = Field::at(20);

/// `VIRTIO_NET_S_LINK_UP` of [`STATUS`].
pub(crate) const STATUS_LINK_UP: u16 = 1;

/// `VIRTIO_NET_S_ANNOUNCE` of [`STATUS`].
pub(crate) const STATUS_ANNOUNCE: u16 = 2;
