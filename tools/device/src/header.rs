// SPDX-License-Identifier: GPL-2.0

//! The header before each packet (virtio 1.3, section 5.1.6).

use crate::{features, hex, tap};
use serde::{Deserialize, Serialize};

/// The fields of a header, whether they have been negotiated or not.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Header {
    pub flags: u8,
    pub gso_type: u8,
    pub hdr_len: u16,
    pub gso_size: u16,
    pub csum_start: u16,
    pub csum_offset: u16,
    /// If it is 0 in a packet to the driver, it is what is true.
    pub num_buffers: u16,
    pub hash_value: u32,
    pub hash_report: u16,
    /// Where the outer transport header and the inner network header of a packet in a tunnel are.
    pub outer_th_offset: u16,
    pub inner_nh_offset: u16,
}

/// A packet and its header.
#[derive(Clone, Serialize)]
pub struct Packet {
    pub header: Header,
    #[serde(serialize_with = "hex::serialize")]
    pub bytes: Vec<u8>,
}

/// The flag `VIRTIO_NET_HDR_F_NEEDS_CSUM`.
pub const NEEDS_CSUM: u8 = 1;

/// The length of the longest header.
pub const LONGEST: usize = 24;

/// The length of a header, in bytes, after the driver has accepted `features`.
pub fn length(accepted: u128) -> usize {
    if features::has_any(accepted, features::TUNNELS) {
        LONGEST
    } else if features::has(accepted, features::HASH_REPORT) {
        20
    } else if features::has_any(accepted, &[features::MRG_RXBUF, features::VERSION_1]) {
        12
    } else {
        10
    }
}

/// Where the header of a TAP ends is where this one's does.
const _: () = assert!(tap::HEADER == 12);

impl Header {
    /// The first `length` bytes of it.
    pub fn encode(&self, length: usize) -> Vec<u8> {
        let mut bytes = vec![self.flags, self.gso_type];
        let words = [
            self.hdr_len,
            self.gso_size,
            self.csum_start,
            self.csum_offset,
            self.num_buffers,
        ];
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend(self.hash_value.to_le_bytes());
        bytes.extend(self.hash_report.to_le_bytes());
        bytes.extend([0; 2]);
        bytes.extend(self.outer_th_offset.to_le_bytes());
        bytes.extend(self.inner_nh_offset.to_le_bytes());
        bytes.truncate(length);
        bytes
    }

    /// What `bytes` say. What they are too short for is 0.
    fn decode(bytes: &[u8]) -> Self {
        let mut whole = [0; LONGEST];
        whole[..bytes.len()].copy_from_slice(bytes);
        let word = |at| u16::from_le_bytes([whole[at], whole[at + 1]]);
        Self {
            flags: whole[0],
            gso_type: whole[1],
            hdr_len: word(2),
            gso_size: word(4),
            csum_start: word(6),
            csum_offset: word(8),
            num_buffers: word(10),
            hash_value: (u32::from(word(14)) << 16) | u32::from(word(12)),
            hash_report: word(16),
            outer_th_offset: word(20),
            inner_nh_offset: word(22),
        }
    }
}

impl Packet {
    /// The packet whose header is the first `length` bytes, [`LONGEST`] at most. `None` if there are fewer.
    pub fn split(mut bytes: Vec<u8>, length: usize) -> Option<Self> {
        if bytes.len() < length {
            return None;
        }
        let rest = bytes.split_off(length);
        Some(Self {
            header: Header::decode(&bytes),
            bytes: rest,
        })
    }

    /// It, with the first `length` bytes of its header.
    pub fn join(&self, length: usize) -> Vec<u8> {
        [self.header.encode(length).as_slice(), &self.bytes].concat()
    }
}
