// SPDX-License-Identifier: GPL-2.0

//! The common configuration (virtio 1.3, section 4.1.4.3).

use super::{
    queues::{self, Queues},
    status::Status,
    vectors, Effect,
};
use crate::{features, judge::Judge, settings::Settings};

/// Where the registers are.
const DEVICE_SELECT: usize = 0;
const DRIVER_SELECT: usize = 8;
const DRIVER_FEATURES: usize = 12;
const CONFIG_VECTOR: usize = 16;
const STATUS: usize = 20;
const QUEUE_SELECT: usize = 22;
const OF_QUEUE: usize = 24;
/// How many bytes they have.
pub const LENGTH: usize = 64;

/// The registers.
pub struct Common {
    offered: u128,
    accepted: u128,
    device_select: u32,
    driver_select: u32,
    /// The interrupt for the configuration.
    pub config_vector: u16,
    /// The device status.
    pub status: Status,
    generation: u8,
    /// Those of the queues.
    pub queues: Queues,
    /// How many reads the reset of a queue takes.
    pub reset_reads: u32,
}

/// A window of 32 bits, of as many as there are.
fn window(mask: u128, select: u32) -> u32 {
    let shifted = select.checked_mul(32).and_then(|by| mask.checked_shr(by));
    shifted.unwrap_or(0) as u32
}

impl Common {
    /// Those of a device that nobody uses yet.
    pub fn new(settings: &Settings) -> Self {
        Self {
            offered: settings.features(),
            accepted: 0,
            device_select: 0,
            driver_select: 0,
            config_vector: vectors::NONE,
            status: Status::default(),
            generation: 0,
            queues: Queues::new(settings.queues(), settings.queue_size()),
            // The driver has to wait for it.
            reset_reads: 1,
        }
    }

    /// The device is reset.
    pub fn reset(&mut self) {
        self.accepted = 0;
        self.device_select = 0;
        self.driver_select = 0;
        self.config_vector = vectors::NONE;
        self.status.reset();
        self.queues.reset();
    }

    /// The configuration of the device is another one.
    pub fn change(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }

    /// What is offered, and what of it the driver has accepted.
    pub fn features(&self) -> (u128, u128) {
        (self.offered, self.accepted)
    }

    fn vectors(&self) -> u16 {
        self.queues.count() as u16 + 1
    }

    /// So many bytes from a place on.
    pub fn read(&mut self, at: usize, count: usize) -> (Vec<u8>, Option<Effect>) {
        let mut bytes = Vec::new();
        let words = [
            self.device_select,
            window(self.offered, self.device_select),
            self.driver_select,
            window(self.accepted, self.driver_select),
        ];
        bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend(self.config_vector.to_le_bytes());
        bytes.extend((self.queues.count() as u16).to_le_bytes());
        let is_status = (at..at + count).contains(&STATUS);
        bytes.push(if is_status { self.status.read() } else { 0 });
        bytes.push(self.generation);
        bytes.extend(self.queues.selected().to_le_bytes());
        let (of_queue, effect) = self.queues.read(at);
        bytes.extend(of_queue);
        let all = bytes.into_iter().chain(std::iter::repeat(0));
        (all.skip(at).take(count).collect(), effect)
    }

    /// The driver writes to a place.
    pub fn write(&mut self, at: usize, bytes: &[u8], judge: &mut Judge) -> Option<Effect> {
        let value = bytes
            .iter()
            .rev()
            .fold(0, |value, byte| (value << 8) | u32::from(*byte));
        let vectors = self.vectors();
        match (at, bytes.len()) {
            (DEVICE_SELECT, 4) => self.device_select = value,
            (DRIVER_SELECT, 4) => self.driver_select = value,
            (DRIVER_FEATURES, 4) => self.accept(value, judge),
            (CONFIG_VECTOR, 2) => {
                let is_there = value < vectors.into();
                self.config_vector = if is_there {
                    value as u16
                } else {
                    vectors::NONE
                };
            }
            (STATUS, 1) => return self.status.write(value as u8, judge),
            (QUEUE_SELECT, 2) => self.queues.select(value as u16),
            (OF_QUEUE.., _) => {
                let has_reset = features::has(self.accepted, features::RING_RESET);
                let terms = queues::Terms {
                    has_features_ok: self.status.has_features_ok(),
                    has_reset,
                    reset_reads: self.reset_reads,
                    vectors,
                };
                return self.queues.write(at, bytes, &terms, judge);
            }
            _ => judge.check(false, "4.1.3.1", || {
                format!(
                    "{} bytes written at {at} of the common registers",
                    bytes.len()
                )
            }),
        }
        None
    }

    fn accept(&mut self, value: u32, judge: &mut Judge) {
        judge.check(!self.status.has_features_ok(), "3.1.1", || {
            "features are accepted after FEATURES_OK was set".into()
        });
        let offered = window(self.offered, self.driver_select);
        judge.check(value & !offered == 0, "2.2.1", || {
            format!(
                "features {:#x} from {} on are accepted, which are not offered",
                value & !offered,
                32 * u64::from(self.driver_select)
            )
        });
        if let Some(by) = self.driver_select.checked_mul(32).filter(|by| *by < 128) {
            self.accepted &= !(u128::from(u32::MAX) << by);
            self.accepted |= u128::from(value & offered) << by;
        }
    }

    /// Whether a kick of a queue counts. The driver must not kick one that is not in use.
    pub fn may_kick(&self, queue: usize, judge: &mut Judge) -> bool {
        let is_enabled = self.queues.is_enabled(queue);
        judge.check(is_enabled, "2.6.1", || {
            format!("queue {queue} is said to have something, and is not enabled")
        });
        judge.check(self.status.has_driver(), "3.1.1", || {
            format!("queue {queue} is said to have something before DRIVER_OK")
        });
        is_enabled && self.status.is_ready()
    }
}
