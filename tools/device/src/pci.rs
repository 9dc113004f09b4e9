// SPDX-License-Identifier: GPL-2.0

//! The device as a PCI function (virtio 1.3, section 4.1): what its registers do.

mod common;
mod config;
mod queues;
mod status;
#[cfg(test)]
mod tests;
mod vectors;

use crate::{
    features,
    judge::{Judge, Violation},
    settings::Settings,
    state::State,
};
use common::Common;
use config::Config;
use std::{fs::File, io};
use vectors::Vectors;

/// The longest queue.
pub const QUEUE_SIZE: u16 = 256;

/// Regions, as vfio counts them: the first two BARs, and the configuration space of PCI.
const REGISTERS: u32 = 0;
const MESSAGES: u32 = 1;
const CONFIG: u32 = 7;

/// A BAR has one kind of registers in each piece of this size.
const PIECE: u64 = 0x1000;
const COMMON: u64 = 0;
const ISR: u64 = 1;
const DEVICE: u64 = 2;
const NOTIFY: u64 = 3;
/// How far from each other the registers of two queues are by which it is said that there is something.
const NOTIFY_STEP: u64 = 4;

/// How many bytes a region has, if it is there.
pub fn region_size(region: u32) -> u32 {
    match region {
        REGISTERS => 4 * PIECE as u32,
        MESSAGES => PIECE as u32,
        CONFIG => config::SIZE as u32,
        _ => 0,
    }
}

/// How many interrupts there are: one for the configuration, and one for each queue.
pub fn vectors(settings: &Settings) -> u16 {
    settings.queues() as u16 + 1
}

/// What the device is to do since the driver has written to a register, or read one.
#[derive(Debug, PartialEq, Eq)]
enum Effect {
    /// It is reset.
    Reset,
    /// The driver has made up its mind about the features.
    Features,
    /// The driver is ready.
    Driver,
    /// A queue is enabled.
    Enabled(usize),
    /// A queue is to be reset.
    ToReset(usize),
    /// A queue has been reset.
    HasReset(usize),
    /// There is something in a queue.
    Kicked(usize),
}

/// The function.
pub struct Function {
    config: Config,
    common: Common,
    vectors: Vectors,
}

impl Function {
    /// As it is when the machine is switched on.
    pub fn new(settings: &Settings) -> Self {
        Self {
            config: Config::new(
                vectors(settings),
                settings.config_length.unwrap_or(PIECE as u32),
            ),
            common: Common::new(settings),
            vectors: Vectors::new(vectors(settings)),
        }
    }

    /// The configuration of the device is another one, and the driver is told that.
    pub fn change(&mut self) -> io::Result<()> {
        self.common.change();
        self.vectors.interrupt(self.common.config_vector)
    }

    /// The device can do no more until the driver resets it, and tells the driver.
    pub fn break_down(&mut self) -> io::Result<()> {
        if self.common.status.need_reset() {
            self.vectors.interrupt(self.common.config_vector)?;
        }
        Ok(())
    }

    /// The device status.
    pub fn status(&self) -> u8 {
        self.common.status.bits()
    }

    /// How many descriptors the rings of each queue have.
    pub fn rings(&self) -> Vec<u16> {
        let queues = &self.common.queues;
        (0..queues.count())
            .map(|number| queues.rings(number).0)
            .collect()
    }

    /// How often the driver reads that a queue is being reset before it has been.
    pub fn reset_slowly(&mut self, reads: u32) {
        self.common.reset_reads = reads;
    }
}

impl State {
    /// What the driver reads in a region.
    pub fn read_region(&mut self, region: u32, offset: u64, count: u32) -> io::Result<Vec<u8>> {
        let function = self.function.as_mut().ok_or(io::ErrorKind::NotFound)?;
        let count = count as usize;
        let mut effect = None;
        let bytes = match (region, offset / PIECE) {
            (CONFIG, _) => {
                if let Some((at, count)) = function.config.window(offset, count) {
                    return self.read_region(REGISTERS, at, count);
                }
                function.config.read(offset as usize, count)
            }
            (REGISTERS, COMMON) => {
                let (bytes, what) = function.common.read(offset as usize, count);
                effect = what;
                bytes
            }
            (REGISTERS, DEVICE) => {
                let at = offset - DEVICE * PIECE;
                self.configuration(at as usize, count)
            }
            // There are no interrupts but messages, and QEMU has which of those are pending.
            (REGISTERS, ISR | NOTIFY) | (MESSAGES, _) => vec![0; count],
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        };
        self.follow(effect);
        Ok(bytes)
    }

    /// The driver writes to a region.
    pub fn write_region(
        &mut self,
        region: u32,
        offset: u64,
        bytes: &[u8],
        tap: &File,
    ) -> io::Result<()> {
        let function = self.function.as_mut().ok_or(io::ErrorKind::NotFound)?;
        let judge = &mut self.world.judge;
        let effect = match (region, offset / PIECE) {
            (CONFIG, _) => {
                if let Some((at, _)) = function.config.window(offset, bytes.len()) {
                    return self.write_region(REGISTERS, at, bytes, tap);
                }
                let is_reset = function.config.write(offset as usize, bytes);
                is_reset.then_some(Effect::Reset)
            }
            (REGISTERS, COMMON) => function.common.write(offset as usize, bytes, judge),
            (REGISTERS, NOTIFY) => kicked(offset - NOTIFY * PIECE, bytes, judge),
            (REGISTERS, DEVICE) => {
                let at = offset - DEVICE * PIECE;
                let what = format!("{} bytes written at {at} of the configuration", bytes.len());
                judge.record(Violation::new("5.1.4.2", what));
                None
            }
            // QEMU has the table of messages.
            (REGISTERS, ISR) | (MESSAGES, _) => None,
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        };
        if let Some(Effect::Kicked(queue)) = effect {
            let is_used = function.common.may_kick(queue, &mut self.world.judge);
            if is_used {
                self.kick(queue, tap);
            }
            return Ok(());
        }
        self.follow(effect);
        Ok(())
    }

    /// All is as when the machine was switched on, but for interrupts and what a test has ordered.
    pub fn reset_function(&mut self) {
        if let Some(function) = &mut self.function {
            function.config.reset();
        }
        self.follow(Some(Effect::Reset));
    }

    /// Whoever reads this file is interrupted by vectors from now on, or nobody is.
    pub fn interrupt_by(&mut self, first: u32, count: u32, file: Option<File>) -> io::Result<()> {
        let function = self.function.as_mut().ok_or(io::ErrorKind::NotFound)?;
        function.vectors.set(first, count, file);
        for (number, queue) in self.queues.iter().enumerate() {
            let vector = function.common.queues.vector(number);
            queue.interrupt_by(function.vectors.file(vector)?);
        }
        Ok(())
    }

    fn follow(&mut self, effect: Option<Effect>) {
        let Some(effect) = effect else { return };
        if let Err(error) = self.take_effect(&effect) {
            let what = format!("{effect:?}: {error}");
            self.world.judge.record(Violation::new("4.1.4.3.2", what));
        }
    }

    fn take_effect(&mut self, effect: &Effect) -> io::Result<()> {
        let Some(function) = &mut self.function else {
            return Ok(());
        };
        match *effect {
            Effect::Reset => {
                function.common.reset();
                self.queues.iter_mut().for_each(|queue| queue.disable());
                self.world.terms.accepted = 0;
                self.forget();
            }
            Effect::Features => {
                let (offered, accepted) = function.common.features();
                self.reset(offered, accepted);
            }
            Effect::Driver => {
                for number in function.common.queues.enabled() {
                    self.start(number)?;
                }
            }
            Effect::Enabled(number) if function.common.status.is_ready() => self.start(number)?,
            Effect::ToReset(number) => self.fetch(number)?,
            Effect::HasReset(number) => {
                let before = self.queues[number].waiting().len();
                self.fetch(number)?;
                let more = self.queues[number].waiting().len() - before;
                self.world.judge.check(more == 0, "2.6.1", || {
                    format!("{more} chains were added to queue {number} while it was reset")
                });
                let packed = self.world.terms.has(features::RING_PACKED);
                self.queues[number].disable();
                self.queues[number].reset(packed);
                self.world.lent.forget(number);
                self.world.coalescing.forget(number);
            }
            Effect::Enabled(_) | Effect::Kicked(_) => {}
        }
        Ok(())
    }

    fn fetch(&mut self, number: usize) -> io::Result<()> {
        self.world.fetch(&mut self.queues[number])
    }

    /// Uses a queue from now on, as its registers say.
    fn start(&mut self, number: usize) -> io::Result<()> {
        let function = self.function.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let events = self.world.terms.has(features::EVENT_IDX);
        let registers = &function.common.queues;
        let file = function.vectors.file(registers.vector(number))?;
        let (size, addresses) = registers.rings(number);
        let queue = &mut self.queues[number];
        queue.interrupt_by(file);
        queue.enable(size, addresses, events)
    }
}

/// The queue that is said to have something, by a write to a place of the notification registers.
fn kicked(at: u64, bytes: &[u8], judge: &mut Judge) -> Option<Effect> {
    let number = (at / NOTIFY_STEP) as usize;
    let is_said = at % NOTIFY_STEP == 0 && bytes == (number as u16).to_le_bytes();
    judge.check(is_said, "4.1.5.2", || {
        format!("{bytes:02x?} written at {at:#x} of the notification registers")
    });
    Some(Effect::Kicked(number))
}
