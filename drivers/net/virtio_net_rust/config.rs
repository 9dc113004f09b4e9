// SPDX-License-Identifier: GPL-2.0

//! The configuration space of a network device (virtio 1.3, section 5.1.4).

use kernel::virtio::config::Field;

/// The MAC address. With [`MAC`](crate::features::MAC).
pub(crate) const MAC: Field<[u8; 6]> = Field::first();

/// Bits `VIRTIO_NET_S_*`. With [`STATUS`](crate::features::STATUS).
pub(crate) const STATUS: Field<u16> = MAC.then();

/// The number of pairs of queues. With [`MQ`](crate::features::MQ) or [`RSS`](crate::features::RSS).
pub(crate) const MAX_VIRTQUEUE_PAIRS: Field<u16> = STATUS.then();

/// The largest MTU, in bytes. With [`MTU`](crate::features::MTU).
pub(crate) const MTU: Field<u16> = MAX_VIRTQUEUE_PAIRS.then();

/// The speed of the link, in Mbit/s. With [`SPEED_DUPLEX`](crate::features::SPEED_DUPLEX).
pub(crate) const SPEED: Field<u32> = MTU.then();

/// Whether the link is full duplex: 0 or 1, or not known. With
/// [`SPEED_DUPLEX`](crate::features::SPEED_DUPLEX).
pub(crate) const DUPLEX: Field<[u8; 1]> = SPEED.then();

/// The largest key for hashes, in bytes. With [`RSS`](crate::features::RSS) or
/// [`HASH_REPORT`](crate::features::HASH_REPORT), as the types below.
pub(crate) const RSS_MAX_KEY_SIZE: Field<[u8; 1]> = DUPLEX.then();

/// The largest number of entries of the indirection table. With [`RSS`](crate::features::RSS).
pub(crate) const RSS_MAX_INDIRECTION_TABLE_LENGTH: Field<u16> = RSS_MAX_KEY_SIZE.then();

/// Bits `VIRTIO_NET_RSS_HASH_TYPE_*`: the hashes that the device can compute.
pub(crate) const SUPPORTED_HASH_TYPES: Field<u32> = RSS_MAX_INDIRECTION_TABLE_LENGTH.then();

/// `VIRTIO_NET_S_LINK_UP` of [`STATUS`].
pub(crate) const STATUS_LINK_UP: u16 = 1;

/// `VIRTIO_NET_S_ANNOUNCE` of [`STATUS`].
pub(crate) const STATUS_ANNOUNCE: u16 = 2;
