// SPDX-License-Identifier: GPL-2.0

//! The configuration space (virtio 1.3, section 5.1.4).

/// What the driver can read of the device, and the device says of itself.
#[derive(Default)]
pub struct Space(Vec<u8>);

impl Space {
    /// A space with these bytes, and zeroes behind them.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// So many bytes from an offset on.
    pub fn read(&self, offset: usize, size: usize) -> Vec<u8> {
        let bytes = self.0.iter().copied().chain(std::iter::repeat(0));
        bytes.skip(offset).take(size).collect()
    }

    fn number<const SIZE: usize>(&self, offset: usize) -> [u8; SIZE] {
        std::array::from_fn(|at| self.0.get(offset + at).copied().unwrap_or(0))
    }

    /// `mtu`
    pub fn mtu(&self) -> u16 {
        u16::from_le_bytes(self.number(10))
    }

    /// `rss_max_key_size`
    pub fn most_key(&self) -> u8 {
        u8::from_le_bytes(self.number(17))
    }

    /// `rss_max_indirection_table_length`
    pub fn most_entries(&self) -> u16 {
        u16::from_le_bytes(self.number(18))
    }

    /// `supported_hash_types`
    pub fn hash_types(&self) -> u32 {
        u32::from_le_bytes(self.number(20))
    }
}
