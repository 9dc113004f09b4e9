// SPDX-License-Identifier: GPL-2.0

//! What is counted of each queue (virtio 1.3, section 5.1.6.5.10).

use crate::header::{Packet, NEEDS_CSUM};
use std::collections::HashMap;

/// `VIRTIO_NET_HDR_F_DATA_VALID`
const DATA_VALID: u8 = 2;
/// `VIRTIO_NET_HDR_GSO_NONE`
const GSO_NONE: u8 = 0;

/// The set of types of statistics that are kept: not those about rates, of which none is limited.
pub const TYPES: u64 = 7 | (7 << 16) | (1 << 32);

/// Of a receive or a transmit queue, or of the control queue, whose packets are commands.
#[derive(Default)]
pub struct Count {
    /// How often the driver has said that there is something.
    pub notifications: u64,
    /// How often it was interrupted.
    pub interrupts: u64,
    /// What has gone where it was to go.
    packets: u64,
    bytes: u64,
    /// What has not: all of it, and that which the driver had no buffers for, or made no packet of.
    drops: u64,
    by_driver: u64,
    /// By what is said of the checksum: that it has been looked at, is to be completed, or nothing.
    valid: u64,
    needs_csum: u64,
    none: u64,
    /// GSO packets.
    gso_packets: u64,
    gso_bytes: u64,
    /// Commands that were done.
    pub done: u64,
}

impl Count {
    /// This has gone where it was to go. Nothing is segmented or put together on its way.
    pub fn packet(&mut self, packet: &Packet) {
        let (header, bytes) = (&packet.header, packet.bytes.len() as u64);
        self.packets += 1;
        self.bytes += bytes;
        let said = match header.flags {
            flags if flags & NEEDS_CSUM != 0 => &mut self.needs_csum,
            flags if flags & DATA_VALID != 0 => &mut self.valid,
            _ => &mut self.none,
        };
        *said += 1;
        if header.gso_type != GSO_NONE {
            self.gso_packets += 1;
            self.gso_bytes += bytes;
        }
    }

    /// A command has been read.
    pub fn command(&mut self) {
        self.packets += 1;
    }

    /// A packet has not gone where it was to go, `by_driver` for want of buffers or because it was no packet.
    pub fn drop(&mut self, by_driver: bool) {
        self.drops += 1;
        self.by_driver += u64::from(by_driver);
    }

    /// The statistics of a type, in their order, if they are kept.
    fn of_type(&self, kind: u8) -> Option<Vec<u64>> {
        Some(match kind {
            0 | 16 => vec![
                self.notifications,
                self.packets,
                self.bytes,
                self.interrupts,
                self.drops,
                self.by_driver,
            ],
            // None has been found to be wrong, for none has been looked at.
            1 => vec![self.valid, self.needs_csum, self.none, 0],
            2 => vec![self.gso_packets, self.gso_bytes, 0, 0],
            17 => vec![self.none, self.needs_csum],
            18 => vec![
                self.gso_packets,
                self.gso_bytes,
                0,
                0,
                self.gso_packets,
                self.gso_bytes,
            ],
            32 => vec![self.packets, self.done],
            _ => return None,
        })
    }
}

/// Of all queues, by their numbers.
#[derive(Default)]
pub struct Counts(HashMap<usize, Count>);

impl Counts {
    /// That of one queue.
    pub fn of(&mut self, queue: usize) -> &mut Count {
        self.0.entry(queue).or_default()
    }

    /// The statistics of a type with their header, as in an answer, if they are kept of this queue.
    pub fn entry(&self, queue: u16, kind: u8) -> Option<Vec<u8>> {
        let nothing = Count::default();
        let count = self.0.get(&queue.into()).unwrap_or(&nothing);
        let values = count.of_type(kind)?;
        let size = 8 + 8 * values.len() as u16;
        let header = [[kind, 0], queue.to_le_bytes(), [0; 2], size.to_le_bytes()].concat();
        let values = values.iter().flat_map(|value| value.to_le_bytes());
        Some(header.into_iter().chain(values).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::Header;

    fn counted(packets: &[(u8, u8)]) -> Count {
        let mut count = Count::default();
        for (flags, gso_type) in packets {
            let header = Header {
                flags: *flags,
                gso_type: *gso_type,
                ..Header::default()
            };
            let bytes = vec![0; 100];
            count.packet(&Packet { header, bytes });
        }
        count
    }

    #[test]
    fn packets() {
        let mut count = counted(&[(0, 0), (NEEDS_CSUM, 0), (NEEDS_CSUM, 1), (DATA_VALID, 0)]);
        count.drop(true);
        count.drop(false);
        (count.notifications, count.interrupts) = (7, 8);
        for basic in [0, 16] {
            assert_eq!(count.of_type(basic).unwrap(), [7, 4, 400, 8, 2, 1]);
        }
        assert_eq!(count.of_type(1).unwrap(), [1, 2, 1, 0]);
        assert_eq!(count.of_type(17).unwrap(), [1, 2]);
        assert_eq!(count.of_type(2).unwrap(), [1, 100, 0, 0]);
        assert_eq!(count.of_type(18).unwrap(), [1, 100, 0, 0, 1, 100]);
    }

    #[test]
    fn commands() {
        let mut count = Count::default();
        count.command();
        count.command();
        count.done = 1;
        assert_eq!(count.of_type(32).unwrap(), [2, 1]);
    }

    /// Each type in the set is kept, and no other.
    #[test]
    fn types() {
        let count = Count::default();
        let kept = (0..64).filter(|kind| count.of_type(*kind).is_some());
        assert_eq!(kept.fold(0, |set, kind| set | (1 << kind)), TYPES);
    }

    #[test]
    fn entries() {
        let mut counts = Counts::default();
        counts.of(3).done = 5;
        let wanted = [
            32, 0, 3, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(counts.entry(3, 32).unwrap(), wanted);
        assert_eq!(counts.entry(4, 32).unwrap()[8..], [0; 16]);
        assert_eq!(counts.entry(3, 3), None);
    }
}
