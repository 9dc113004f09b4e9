// SPDX-License-Identifier: GPL-2.0

//! The configuration space (virtio 1.3, section 5.1.4).

/// Where `status` is, and `VIRTIO_NET_S_ANNOUNCE` in it.
const STATUS: usize = 6;
const ANNOUNCE: u8 = 2;

/// What the driver can read of the device, and the device says of itself.
#[derive(Default)]
pub struct Space {
    bytes: Vec<u8>,
    mtu: u16,
}

impl Space {
    /// A space with these bytes, and zeroes behind them.
    pub fn new(bytes: Vec<u8>) -> Self {
        let mut space = Self { bytes, mtu: 0 };
        space.mtu = u16::from_le_bytes(space.number(10));
        space
    }

    /// So many bytes from an offset on.
    pub fn read(&self, offset: usize, size: usize) -> Vec<u8> {
        let bytes = self.bytes.iter().copied().chain(std::iter::repeat(0));
        bytes.skip(offset).take(size).collect()
    }

    /// Changes what is there from an offset on.
    pub fn write(&mut self, offset: usize, bytes: &[u8]) {
        for (to, byte) in self.bytes.iter_mut().skip(offset).zip(bytes) {
            *to = *byte;
        }
    }

    /// The driver has done what it was to do.
    pub fn is_announced(&mut self) {
        let status = self.bytes.get_mut(STATUS);
        status.into_iter().for_each(|status| *status &= !ANNOUNCE);
    }

    fn number<const SIZE: usize>(&self, offset: usize) -> [u8; SIZE] {
        std::array::from_fn(|at| self.bytes.get(offset + at).copied().unwrap_or(0))
    }

    /// `mac`
    pub fn mac(&self) -> [u8; 6] {
        self.number(0)
    }

    /// `mtu`, which must not change, as it was at first.
    pub fn mtu(&self) -> u16 {
        self.mtu
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
