// SPDX-License-Identifier: GPL-2.0

//! How long the driver wants interrupts to be put off (virtio 1.3, section 5.1.6.5.9).

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// The commands of class `VIRTIO_NET_CTRL_NOTF_COAL` (6).
const TX_SET: (u8, u8) = (6, 0);
const RX_SET: (u8, u8) = (6, 1);
const VQ_SET: (u8, u8) = (6, 2);
/// `VIRTIO_NET_CTRL_NOTF_COAL_VQ_GET`
pub const VQ_GET: (u8, u8) = (6, 3);

/// An interrupt is due as soon as either is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    packets: u32,
    usecs: u32,
}

impl Limits {
    fn read(body: &[u8]) -> Option<Self> {
        let [packets, usecs] = [body.get(..4)?, body.get(4..8)?];
        Some(Self {
            packets: u32::from_le_bytes(packets.try_into().ok()?),
            usecs: u32::from_le_bytes(usecs.try_into().ok()?),
        })
    }

    fn bytes(self) -> Vec<u8> {
        [self.packets.to_le_bytes(), self.usecs.to_le_bytes()].concat()
    }
}

/// The queue that a command is about, and what follows it.
fn of_queue(body: &[u8]) -> Option<(usize, &[u8])> {
    let (queue, rest) = body.split_at_checked(4)?;
    Some((u16::from_le_bytes([queue[0], queue[1]]).into(), rest))
}

/// What the driver has set.
#[derive(Default)]
pub struct Coalescing {
    /// For all receive and all transmit queues.
    sides: [Limits; 2],
    /// For single ones, by number.
    queues: HashMap<usize, Limits>,
}

impl Coalescing {
    /// Takes over what a command says, if it is one of these.
    pub fn obey(&mut self, command: (u8, u8), body: &[u8]) {
        match command {
            RX_SET => self.set_side(0, body),
            TX_SET => self.set_side(1, body),
            VQ_SET => {
                if let Some((queue, limits)) = of_queue(body) {
                    let set = Limits::read(limits).map(|limits| (queue, limits));
                    self.queues.extend(set);
                }
            }
            _ => {}
        }
    }

    fn set_side(&mut self, side: usize, body: &[u8]) {
        if let Some(limits) = Limits::read(body) {
            self.sides[side] = limits;
            self.queues.retain(|queue, _| queue % 2 != side);
        }
    }

    /// What is answered to [`VQ_GET`].
    pub fn answer(&self, body: &[u8]) -> Vec<u8> {
        of_queue(body).map_or_else(Vec::new, |(queue, _)| self.of(queue).bytes())
    }

    /// What holds for a queue.
    pub fn of(&self, queue: usize) -> Limits {
        let own = self.queues.get(&queue);
        own.copied().unwrap_or(self.sides[queue % 2])
    }

    /// The driver has reset a queue: what holds for all holds for it again.
    pub fn forget(&mut self, queue: usize) {
        self.queues.remove(&queue);
    }
}

/// What has been used in a queue while the notification of it is put off.
#[derive(Default)]
pub struct Coalesced {
    packets: u32,
    /// When the first of them was used.
    start: Option<Instant>,
    /// Where in the ring that is.
    pub since: Option<u16>,
}

impl Coalesced {
    /// A packet has been used. Says whether the driver is notified later.
    pub fn add(&mut self, limits: Limits, now: Instant) -> bool {
        self.packets = self.packets.saturating_add(1);
        self.start.get_or_insert(now);
        !self.is_due(limits, now)
    }

    /// Whether the driver is to be notified.
    pub fn is_due(&self, limits: Limits, now: Instant) -> bool {
        let is_late = |due| due <= now;
        self.due(limits).is_some_and(is_late) || self.packets >= limits.packets && self.packets > 0
    }

    /// When it is, if it has not been by then.
    pub fn due(&self, limits: Limits) -> Option<Instant> {
        let wait = Duration::from_micros(limits.usecs.into());
        self.start.map(|start| start + wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEW: [u8; 8] = [4, 0, 0, 0, 9, 0, 0, 0];
    const MANY: [u8; 8] = [7, 1, 0, 0, 8, 1, 0, 0];
    const OF_2: [u8; 4] = [2, 0, 0, 0];

    fn limits(packets: u32, usecs: u32) -> Limits {
        Limits { packets, usecs }
    }

    #[test]
    fn the_last_command_holds() {
        let mut set = Coalescing::default();
        assert_eq!(set.of(2), limits(0, 0));
        set.obey(RX_SET, &FEW);
        assert_eq!(
            [set.of(0), set.of(1), set.of(2)],
            [limits(4, 9), limits(0, 0), limits(4, 9)]
        );
        set.obey(VQ_SET, &[OF_2.as_slice(), &MANY].concat());
        assert_eq!([set.of(0), set.of(2)], [limits(4, 9), limits(263, 264)]);
        assert_eq!(set.answer(&OF_2), MANY);
        // That of the other side means nothing for it.
        set.obey(TX_SET, &FEW);
        assert_eq!([set.of(1), set.of(2)], [limits(4, 9), limits(263, 264)]);
        set.forget(2);
        assert_eq!(set.of(2), limits(4, 9));
        set.obey(VQ_SET, &[OF_2.as_slice(), &MANY].concat());
        set.obey(RX_SET, &FEW);
        assert_eq!(set.of(2), limits(4, 9));
    }

    #[test]
    fn what_is_too_short() {
        let mut set = Coalescing::default();
        for length in 0..8 {
            set.obey(RX_SET, &FEW[..length]);
            set.obey(VQ_SET, &[OF_2.as_slice(), &FEW[..length]].concat());
        }
        assert_eq!([set.of(0), set.of(2)], [limits(0, 0); 2]);
        assert!(set.answer(&OF_2[..3]).is_empty());
    }

    #[test]
    fn packets() {
        let (mut coalesced, now) = (Coalesced::default(), Instant::now());
        let added = [(); 4].map(|_| coalesced.add(limits(4, 1000), now));
        assert_eq!(added, [true, true, true, false]);
        // Fewer are wanted now.
        let mut coalesced = Coalesced::default();
        assert!(coalesced.add(limits(4, 1000), now) && coalesced.is_due(limits(1, 1000), now));
        // What is not limited is not put off, and nothing is due where there is nothing.
        assert!(!Coalesced::default().add(limits(0, 1000), now));
        assert!(!Coalesced::default().add(limits(4, 0), now));
        assert!(!Coalesced::default().is_due(limits(0, 0), now));
    }

    #[test]
    fn time() {
        let (mut coalesced, now) = (Coalesced::default(), Instant::now());
        let after = |usecs| now + Duration::from_micros(usecs);
        assert!(coalesced.add(limits(4, 1000), now) && coalesced.add(limits(4, 1000), after(999)));
        assert_eq!(coalesced.due(limits(4, 1000)), Some(after(1000)));
        assert!(!coalesced.is_due(limits(4, 1000), after(999)));
        assert!(coalesced.is_due(limits(4, 1000), after(1000)));
    }
}
