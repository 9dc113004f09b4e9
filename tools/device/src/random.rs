// SPDX-License-Identifier: GPL-2.0

//! Faults by chance. What the n-th packet of a queue gets depends on the seed and the queue alone.

use crate::{fault::Fault, header::Header};
use serde::Deserialize;

/// How faults are chosen.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// The same seed makes the same faults.
    pub seed: u64,
    /// One packet in so many has one, on average.
    one_in: u64,
    /// Also those by which the driver loses a queue until it is bound again.
    breaking: bool,
}

/// The faults of a queue.
pub struct Random {
    choice: Choice,
    state: u64,
    /// Whether it is a receive queue, whose packets have a header that can be wrong.
    receives: bool,
}

impl Random {
    /// Those of the queue of this number.
    pub fn new(choice: Choice, queue: usize) -> Self {
        let mut random = Self {
            state: choice.seed ^ ((queue as u64) << 32),
            choice,
            receives: queue % 2 == 0,
        };
        // Seeds that are alike must not make numbers that are.
        random.number();
        random
    }

    /// SplitMix64.
    fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }

    fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len() as u64) as usize]
    }

    /// What is wrong with the next packet.
    pub fn next(&mut self) -> Option<Fault> {
        if self.below(self.choice.one_in) != 0 {
            return None;
        }
        let breaking = self.choice.breaking && self.below(8) == 0;
        Some(match (breaking, self.receives) {
            (true, _) => self.breaking(),
            (_, true) if self.below(2) == 0 => self.of_header(),
            _ => self.of_completion(),
        })
    }

    fn breaking(&mut self) -> Fault {
        match self.below(4) {
            0 => Fault::Id(self.one_of(&[255, 256, 0x7fff, 0x8000, 0xffff, 0x1_0000, u32::MAX])),
            1 => Fault::NotLent,
            2 => Fault::Twice,
            _ => Fault::Jump(self.one_of(&[1, 2, 128, 255, 256, 257, 0x8000, 0xffff])),
        }
    }

    fn of_completion(&mut self) -> Fault {
        match self.below(4) {
            0 => Fault::Length(self.one_of(&[0, 1, 9, 10, 11, 12, 13, 20, 25, 26])),
            1 => Fault::Length(self.one_of(&[2048, 4096, 4097, 65_535, 0x7fff_ffff, u32::MAX])),
            2 => Fault::Later,
            _ => Fault::Interrupts(self.one_of(&[0, 2, 20])),
        }
    }

    fn of_header(&mut self) -> Fault {
        match self.below(4) {
            0 => Fault::NumBuffers(self.one_of(&[0, 2, 3, 17, 18, 300, 65_535])),
            1 => Fault::MoreBuffers(self.one_of(&[1, 2, 65_535])),
            // All that can be, with values that mean something.
            _ => Fault::Header(Header {
                flags: self.one_of(&[0, 1, 2, 3, 4, 8, 0xff]),
                gso_type: self
                    .one_of(&[0, 1, 2, 3, 4, 5, 0x20, 0x21, 0x44, 0x65, 0x80, 0x81, 0xff]),
                hdr_len: self.one_of(&[0, 14, 54, 1514, 4096, 65_535]),
                gso_size: self.one_of(&[0, 1, 1400, 1448, 65_535]),
                csum_start: self.one_of(&[0, 14, 34, 54, 1513, 4096, 65_535]),
                csum_offset: self.one_of(&[0, 2, 6, 16, 100, 65_534, 65_535]),
                num_buffers: 0,
                hash_value: self.number() as u32,
                hash_report: self.one_of(&[0, 1, 6, 7, 9, 10, 0xffff]),
                outer_th_offset: self.one_of(&[0, 14, 34, 54, 65_535]),
                inner_nh_offset: self.one_of(&[0, 34, 64, 84, 1513, 65_535]),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(seed: u64, queue: usize, breaking: bool) -> String {
        let choice = Choice {
            seed,
            one_in: 2,
            breaking,
        };
        let mut random = Random::new(choice, queue);
        let faults: Vec<_> = (0..1000).map(|_| random.next()).collect();
        format!("{faults:?}")
    }

    /// The same for each run, and another one for each queue and seed.
    #[test]
    fn seeds() {
        for breaking in [false, true] {
            assert_eq!(first(1, 0, breaking), first(1, 0, breaking));
            assert_ne!(first(1, 0, breaking), first(2, 0, breaking));
            assert_ne!(first(1, 0, breaking), first(1, 2, breaking));
        }
        assert!(!first(1, 0, false).contains("Twice"));
        assert!(first(1, 0, true).contains("Twice"));
        // A packet that is sent has no header that the device could get wrong.
        assert!(!first(1, 1, true).contains("Header"));
        assert!(first(1, 0, false).contains("Header"));
    }
}
