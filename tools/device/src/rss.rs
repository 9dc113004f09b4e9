// SPDX-License-Identifier: GPL-2.0

//! What the driver says of hashes, and of the queues that they lead to (virtio 1.3, sections
//! 5.1.6.5.6.4 and 5.1.6.5.7).

use crate::{
    features::{self, has},
    hash::Hash,
    header::Packet,
};

/// The commands of class `VIRTIO_NET_CTRL_MQ` (4).
pub const PAIRS_SET: (u8, u8) = (4, 0);
/// `VIRTIO_NET_CTRL_MQ_RSS_CONFIG`
pub const RSS_CONFIG: (u8, u8) = (4, 1);
/// `VIRTIO_NET_CTRL_MQ_HASH_CONFIG`
pub const HASH_CONFIG: (u8, u8) = (4, 2);

/// What is hashed.
#[derive(Default)]
pub struct Hashing {
    /// Bits `VIRTIO_NET_HASH_TYPE_*`.
    pub types: u32,
    /// The key.
    pub key: Vec<u8>,
    /// How many bytes the command has behind it. The device does not mind.
    pub behind: usize,
}

/// Where a packet goes. Receive queues are counted from 0.
pub struct Table {
    /// The queue for each value of the hash's lowest bits.
    pub entries: Vec<u16>,
    /// The queue of packets without a hash.
    pub unclassified: u16,
    /// How many queues the driver may send with.
    pub pairs: u16,
}

/// Reads what a command has, from its start on.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    fn word(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn types(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    /// The length of a key, and the key.
    fn key(&mut self) -> Option<Vec<u8>> {
        let length = self.byte()?;
        Some(self.take(length.into())?.to_vec())
    }
}

/// What [`RSS_CONFIG`] says, if it is all there.
pub fn read_table(body: &[u8]) -> Option<(Hashing, Table)> {
    let mut reader = Reader(body);
    let types = reader.types()?;
    let mask = reader.word()?;
    let unclassified = reader.word()?;
    let entries = (0..=mask).map(|_| reader.word()).collect::<Option<_>>()?;
    let table = Table {
        entries,
        unclassified,
        pairs: reader.word()?,
    };
    let key = reader.key()?;
    let behind = reader.0.len();
    Some((Hashing { types, key, behind }, table))
}

/// What [`HASH_CONFIG`] says, if it is all there, and the bytes that are reserved.
pub fn read_hashing(body: &[u8]) -> Option<(Hashing, &[u8])> {
    let mut reader = Reader(body);
    let types = reader.types()?;
    let reserved = reader.take(8)?;
    let key = reader.key()?;
    let behind = reader.0.len();
    Some((Hashing { types, key, behind }, reserved))
}

/// What the driver has chosen.
#[derive(Default)]
pub struct Steering {
    hashing: Hashing,
    /// None while the queue is up to the device.
    table: Option<Table>,
}

impl Steering {
    /// Takes over what a command says, if it is one of these. The last one counts.
    pub fn obey(&mut self, command: (u8, u8), body: &[u8]) {
        match command {
            PAIRS_SET => self.table = None,
            RSS_CONFIG => {
                if let Some((hashing, table)) = read_table(body) {
                    self.hashing = hashing;
                    self.table = Some(table);
                }
            }
            HASH_CONFIG => {
                if let Some((hashing, _)) = read_hashing(body) {
                    self.hashing = hashing;
                }
            }
            _ => {}
        }
    }

    /// The number of the receive queue that a packet goes to, which is the usual one if the driver has not
    /// said which. It gets its hash, if the driver wants to have that.
    pub fn steer(&self, packet: &mut Packet, accepted: u128, usual: u16) -> u16 {
        let hash = Hash::of(&packet.bytes, self.hashing.types, &self.hashing.key);
        if let Some(hash) = hash.filter(|_| has(accepted, features::HASH_REPORT)) {
            packet.header.hash_value = hash.value;
            packet.header.hash_report = hash.report;
        }
        match (&self.table, hash) {
            (None, _) => usual,
            (Some(table), None) => table.unclassified,
            (Some(table), Some(hash)) => {
                table.entries[hash.value as usize & (table.entries.len() - 1)]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::Header;

    const REPORT: u128 = 1 << features::HASH_REPORT;
    /// With such a key the hash has all bits or none: it says whether the number of bits is odd.
    const KEY: [u8; 13] = [12, !0, !0, !0, !0, !0, !0, !0, !0, !0, !0, !0, !0];
    const ODD: u32 = !0;
    /// A hash of addresses of IPv4; a mask of 3; where the rest goes; a table of 4; queues to send with.
    const TABLE: [u8; 18] = [1, 0, 0, 0, 3, 0, 5, 0, 1, 0, 2, 0, 3, 0, 4, 0, 2, 0];
    const IPV4: u16 = 0x0800;
    const USUAL: u16 = 9;

    fn packet(kind: u16, last: u8) -> Packet {
        let mut bytes = vec![0; 34];
        bytes[12..14].copy_from_slice(&kind.to_be_bytes());
        bytes[14] = 0x45;
        bytes[33] = last;
        let header = Header::default();
        Packet { header, bytes }
    }

    /// The queue, and what the header says of the hash.
    fn steered(steering: &Steering, mut packet: Packet, accepted: u128) -> (u16, u32, u16) {
        let queue = steering.steer(&mut packet, accepted, USUAL);
        (queue, packet.header.hash_value, packet.header.hash_report)
    }

    fn with_table() -> Steering {
        let mut steering = Steering::default();
        steering.obey(RSS_CONFIG, &[TABLE.as_slice(), &KEY].concat());
        steering
    }

    #[test]
    fn tables() {
        let steering = with_table();
        assert_eq!(steered(&steering, packet(IPV4, 1), REPORT), (4, ODD, 1));
        assert_eq!(steered(&steering, packet(IPV4, 3), REPORT), (1, 0, 1));
        assert_eq!(steered(&steering, packet(0x0806, 1), REPORT), (5, 0, 0));
        // The hash chooses the queue also where it is not reported.
        assert_eq!(steered(&steering, packet(IPV4, 1), 0), (4, 0, 0));
    }

    /// What was there before the first command, and what the last one leaves.
    #[test]
    fn last_command() {
        let mut steering = Steering::default();
        assert_eq!(steered(&steering, packet(IPV4, 1), REPORT), (USUAL, 0, 0));
        let hashing = [[1, 0, 0, 0].as_slice(), &[0; 8], &KEY].concat();
        steering.obey(HASH_CONFIG, &hashing);
        assert_eq!(steered(&steering, packet(IPV4, 1), REPORT), (USUAL, ODD, 1));
        let mut steering = with_table();
        steering.obey(PAIRS_SET, &[2, 0]);
        assert_eq!(steered(&steering, packet(IPV4, 1), REPORT), (USUAL, ODD, 1));
    }

    #[test]
    fn cut_short() {
        let table = [TABLE.as_slice(), &KEY].concat();
        let hashing = [[1, 0, 0, 0].as_slice(), &[0; 8], &KEY].concat();
        assert!(read_table(&table).is_some() && read_hashing(&hashing).is_some());
        assert!((0..table.len()).all(|length| read_table(&table[..length]).is_none()));
        assert!((0..hashing.len()).all(|length| read_hashing(&hashing[..length]).is_none()));
    }

    #[test]
    fn bytes_behind() {
        for behind in 0..3 {
            let more = |command: &[u8]| [command, &KEY, &vec![7; behind]].concat();
            let (hashing, _) = read_table(&more(&TABLE)).unwrap();
            assert_eq!((hashing.key.len(), hashing.behind), (12, behind));
            let types = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            let (hashing, _) = read_hashing(&more(&types)).unwrap();
            assert_eq!((hashing.key.len(), hashing.behind), (12, behind));
        }
    }
}
