// SPDX-License-Identifier: GPL-2.0

//! The hash of a packet (virtio 1.3, section 5.1.6.4.3).

mod fields;
#[cfg(test)]
mod tests;

use fields::Fields;

/// A kind of hash: the number of its bit in the types that the driver chooses from. What is reported
/// with the packet is one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ipv4,
    TcpV4,
    UdpV4,
    Ipv6,
    TcpV6,
    UdpV6,
    Ipv6Ex,
    TcpV6Ex,
    UdpV6Ex,
}

/// The hash of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hash {
    /// Its value.
    pub value: u32,
    /// `VIRTIO_NET_HASH_REPORT_*`
    pub report: u16,
}

impl Hash {
    /// The one that a packet gets with its Ethernet header, if it is of one of the `types`, which are
    /// bits `VIRTIO_NET_HASH_TYPE_*`.
    pub fn of(packet: &[u8], types: u32, key: &[u8]) -> Option<Self> {
        let fields = Fields::of(packet)?;
        let kind = fields
            .kinds()
            .find(|kind| (types >> (*kind as u32)) & 1 == 1)?;
        Some(Self {
            value: toeplitz(key, &fields.bytes(kind)),
            report: kind as u16 + 1,
        })
    }
}

/// The exclusive or of the 32 bits of the key that start at each bit that is set in the data. What
/// the key is too short for is 0.
fn toeplitz(key: &[u8], data: &[u8]) -> u32 {
    let mut key = key.iter().copied().chain(std::iter::repeat(0));
    let mut window = (0..4).fold(0, |window, _| {
        (window << 8) | key.next().map_or(0, u32::from)
    });
    let mut found = 0;
    for (byte, next) in data.iter().zip(key) {
        for bit in (0..8).rev() {
            if (byte >> bit) & 1 == 1 {
                found ^= window;
            }
            window = (window << 1) | u32::from((next >> bit) & 1);
        }
    }
    found
}
