// SPDX-License-Identifier: GPL-2.0

//! The numbers of features (virtio 1.3, sections 5.1.3 and 6).

/// `VIRTIO_NET_F_MRG_RXBUF`
pub const MRG_RXBUF: u32 = 15;
/// `VIRTIO_F_INDIRECT_DESC`
pub const INDIRECT_DESC: u32 = 28;
/// `VIRTIO_F_VERSION_1`
pub const VERSION_1: u32 = 32;
/// `VIRTIO_NET_F_HASH_REPORT`
pub const HASH_REPORT: u32 = 57;

/// Whether a feature is in a mask.
pub fn has(mask: u64, feature: u32) -> bool {
    mask >> feature & 1 == 1
}

/// Whether one of several is.
pub fn has_any(mask: u64, features: &[u32]) -> bool {
    features.iter().any(|feature| has(mask, *feature))
}
