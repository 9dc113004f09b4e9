// SPDX-License-Identifier: GPL-2.0

//! A driver that goes through the registers, and breaks each rule once.

use super::*;
use crate::{chain::Memory, queue::Queue};
use vhost_user_backend::{VringRwLock, VringT};
use vm_memory::{Bytes, GuestAddress, GuestAddressSpace, GuestMemoryMmap};

const RESET: u32 = features::RING_RESET;
const VERSION: u32 = features::VERSION_1;
/// One in the third window, which means nothing.
const LATE: u32 = 70;
const FEATURES: (u64, u64) = (8, 12);
const STATUS: u64 = 20;
const SELECT: u64 = 22;
const SIZE: u64 = 24;
const VECTOR: u64 = 26;
const ENABLE: u64 = 28;
const ADDRESSES: u64 = 32;
const QUEUE_RESET: u64 = 58;
/// Where the rings of queue 1 are.
const RINGS: [u64; 3] = [0x1000, 0x2000, 0x3000];

struct Driver {
    state: State,
    memory: Memory,
    tap: File,
}

impl Driver {
    fn new() -> Self {
        let settings = format!(
            r#"{{"features": [{RESET}, {VERSION}, {LATE}], "pairs": 1, "config": "0102030405060100"}}"#
        );
        let settings: Settings = serde_json::from_str(&settings).unwrap();
        let ranges = [(GuestAddress(0), 0x10_0000)];
        let memory = Memory::new(GuestMemoryMmap::from_ranges(&ranges).unwrap());
        let mut state = State::new(settings.pairs, settings.space());
        state.queues = (0..settings.queues())
            .map(|number| {
                let vring = VringRwLock::new(memory.clone(), QUEUE_SIZE).unwrap();
                Queue::new(number, vring, memory.clone(), false)
            })
            .collect();
        state.memory = Some(memory.clone());
        state.function = Some(Function::new(&settings));
        Self {
            state,
            memory,
            tap: File::open("/dev/null").unwrap(),
        }
    }

    fn write(&mut self, at: u64, bytes: &[u8]) {
        let done = self.state.write_region(REGISTERS, at, bytes, &self.tap);
        done.unwrap();
    }

    fn word(&mut self, at: u64, value: u16) {
        self.write(at, &value.to_le_bytes());
    }

    fn read(&mut self, at: u64, count: u32) -> u64 {
        let bytes = self.state.read_region(REGISTERS, at, count).unwrap();
        bytes
            .iter()
            .rev()
            .fold(0, |value, byte| (value << 8) | u64::from(*byte))
    }

    fn accept(&mut self, features: &[u32]) {
        for window in 0..4u32 {
            let bits = features.iter().filter(|bit| **bit / 32 == window);
            let mask = bits.fold(0u32, |mask, bit| mask | (1 << (bit % 32)));
            self.write(FEATURES.0, &window.to_le_bytes());
            self.write(FEATURES.1, &mask.to_le_bytes());
        }
    }

    fn status(&mut self, bits: u8) {
        self.write(STATUS, &[bits]);
    }

    fn until_features(&mut self) {
        for bits in [0, 1, 3] {
            self.status(bits);
            assert_eq!(self.read(STATUS, 1), u64::from(bits));
        }
        self.accept(&[RESET, VERSION, LATE]);
        self.status(0xb);
    }

    fn set_up(&mut self) {
        self.word(SELECT, 1);
        self.word(SIZE, 8);
        for (number, address) in RINGS.iter().enumerate() {
            let [low, high] = [*address as u32, (*address >> 32) as u32];
            self.write(ADDRESSES + 8 * number as u64, &low.to_le_bytes());
            self.write(ADDRESSES + 8 * number as u64 + 4, &high.to_le_bytes());
        }
        self.word(VECTOR, 2);
        assert_eq!(self.read(VECTOR, 2), 2);
    }

    /// A driver that has done all that there is to do.
    fn ready() -> Self {
        let mut driver = Self::new();
        driver.until_features();
        assert_eq!(driver.read(STATUS, 1), 0xb);
        driver.set_up();
        driver.word(ENABLE, 1);
        driver.status(0xf);
        driver
    }

    /// Makes the descriptor available that queue 1 has at its beginning.
    fn add(&mut self, index: u16) {
        let memory = self.memory.memory();
        let descriptor = [0x8000u64.to_le(), 64u64.to_le()];
        memory
            .write_obj(descriptor, GuestAddress(RINGS[0]))
            .unwrap();
        memory
            .write_obj(index.to_le(), GuestAddress(RINGS[1] + 2))
            .unwrap();
    }

    fn used(&self) -> u16 {
        let memory = self.memory.memory();
        memory.read_obj(GuestAddress(RINGS[2] + 2)).unwrap()
    }

    fn kick(&mut self, queue: u16) {
        self.word(NOTIFY * PIECE + NOTIFY_STEP * u64::from(queue), queue);
    }

    fn broken(&mut self) -> Vec<&'static str> {
        let found = self.state.world.judge.take();
        found.iter().map(|violation| violation.section).collect()
    }
}

/// What is wrong with what a driver does that was ready before.
fn broken(act: impl FnOnce(&mut Driver)) -> Vec<&'static str> {
    let mut driver = Driver::ready();
    assert_eq!(driver.broken(), [""; 0]);
    act(&mut driver);
    driver.broken()
}

/// The same for one that has just accepted features.
fn broken_early(act: impl FnOnce(&mut Driver)) -> Vec<&'static str> {
    let mut driver = Driver::new();
    driver.until_features();
    act(&mut driver);
    driver.broken()
}

#[test]
fn features_of_each_window() {
    let mut driver = Driver::ready();
    let wanted = (1 << RESET) | (1 << VERSION) | (1 << LATE);
    assert_eq!(driver.state.world.terms.accepted, wanted);
    for (window, found) in [
        (0, 0),
        (1, 1 | (1 << 8)),
        (2, 1 << 6),
        (3, 0),
        (4, 0),
        (u32::MAX, 0),
    ] {
        driver.write(0, &window.to_le_bytes());
        assert_eq!(driver.read(4, 4), found);
    }
}

#[test]
fn features_that_are_not_offered() {
    assert_eq!(broken(|_| ()), [""; 0]);
    let mut driver = Driver::new();
    driver.until_features();
    assert_eq!(driver.broken(), [""; 0]);
    driver.status(0);
    driver.accept(&[VERSION, LATE + 1]);
    assert_eq!(driver.broken(), ["2.2.1"]);
}

#[test]
fn order_of_steps() {
    // The features after FEATURES_OK is set.
    assert!(broken(|driver| driver.accept(&[VERSION])).contains(&"3.1.1"));
    // DRIVER_OK without a look at FEATURES_OK.
    assert_eq!(broken_early(|driver| driver.status(0xf)), ["3.1.1"]);
    // FEATURES_OK before DRIVER.
    let mut driver = Driver::new();
    driver.status(1);
    driver.accept(&[VERSION]);
    driver.status(9);
    assert_eq!(driver.broken(), ["3.1.1"]);
    // A queue before the features.
    let mut driver = Driver::new();
    driver.word(ENABLE, 1);
    assert_eq!(driver.broken(), ["3.1.1"]);
}

#[test]
fn status_bits() {
    assert_eq!(broken(|driver| driver.status(0xb)), ["2.1.1"]);
    assert_eq!(broken(|driver| driver.status(0x4f)), ["2.1"]);
    assert_eq!(broken(|driver| driver.status(0x8f)), [""; 0]);
    let early = |driver: &mut Driver| {
        driver.status(0);
        driver.status(1);
    };
    assert_eq!(broken(early), ["4.1.4.3.2"]);
}

#[test]
fn kicks() {
    let kick = |queue| move |driver: &mut Driver| driver.kick(queue);
    assert_eq!(broken(kick(1)), [""; 0]);
    assert_eq!(broken(kick(0)), ["2.6.1"]);
    assert_eq!(broken(kick(77)), ["2.6.1"]);
    let early = |driver: &mut Driver| {
        driver.read(STATUS, 1);
        driver.set_up();
        driver.word(ENABLE, 1);
        driver.kick(1);
    };
    assert_eq!(broken_early(early), ["3.1.1"]);
    let other = |driver: &mut Driver| driver.word(NOTIFY * PIECE + NOTIFY_STEP, 0);
    assert_eq!(broken(other), ["4.1.5.2"]);
}

#[test]
fn registers() {
    // A part of one, the configuration, one of a queue that is enabled.
    assert_eq!(broken(|driver| driver.write(17, &[0])), ["4.1.3.1"]);
    assert_eq!(
        broken(|driver| driver.write(DEVICE * PIECE, &[0])),
        ["5.1.4.2"]
    );
    assert_eq!(broken(|driver| driver.word(SIZE, 16)), ["4.1.4.3.2"]);
    let address = |driver: &mut Driver| driver.write(ADDRESSES, &[0; 4]);
    assert_eq!(broken(address), ["4.1.4.3.2"]);
    assert_eq!(broken(|driver| driver.word(ENABLE, 1)), ["4.1.4.3.2"]);
    let disable = |driver: &mut Driver| driver.word(ENABLE, 0);
    assert!(broken(disable).contains(&"4.1.4.3.2"));
    // A queue that is not there, and a size that split rings cannot have.
    let select = |driver: &mut Driver| {
        driver.word(SELECT, 3);
        assert_eq!(driver.read(SIZE, 2), 0);
        driver.word(SIZE, 8);
    };
    assert_eq!(broken(select), ["4.1.5.1.3"]);
    let odd = |driver: &mut Driver| {
        driver.word(SELECT, 0);
        driver.word(SIZE, 9);
        driver.word(ENABLE, 1);
    };
    assert_eq!(broken(odd), ["4.1.4.3.2"]);
    // A vector that is not there is none.
    let vector = |driver: &mut Driver| {
        driver.word(VECTOR, 4);
        assert_eq!(driver.read(VECTOR, 2), 0xffff);
    };
    assert_eq!(broken(vector), [""; 0]);
}

#[test]
fn configuration() {
    let mut driver = Driver::ready();
    assert_eq!(driver.read(DEVICE * PIECE, 6), 0x0605_0403_0201);
    let before = driver.read(21, 1);
    driver.state.function.as_mut().unwrap().change().unwrap();
    assert_ne!(driver.read(21, 1), before);
}

/// The address that it has set is in the configuration until the device is reset, wherever reading begins.
#[test]
fn address() {
    const ADDR_SET: (u8, u8) = (1, 1);
    let mut driver = Driver::ready();
    let world = &mut driver.state.world;
    world.filter.obey(ADDR_SET, &[2, 9, 9, 9, 9, 6]);
    assert_eq!(driver.read(DEVICE * PIECE, 6), 0x0605_0403_0201);
    driver.state.world.terms.accepted |= 1 << features::MAC;
    assert_eq!(driver.read(DEVICE * PIECE, 8), 0x0001_0609_0909_0902);
    assert_eq!(driver.read(DEVICE * PIECE + 5, 2), 0x0106);
    driver.status(0);
    assert_eq!(driver.read(DEVICE * PIECE, 6), 0x0605_0403_0201);
}

#[test]
fn packets_before_and_after_a_reset() {
    let mut driver = Driver::ready();
    driver.add(1);
    driver.kick(1);
    assert_eq!(driver.used(), 1);

    driver.word(QUEUE_RESET, 1);
    assert_eq!(driver.read(QUEUE_RESET, 2), 1);
    assert_eq!(driver.read(ENABLE, 2), 1);
    assert_eq!(driver.read(QUEUE_RESET, 2), 0);
    assert_eq!(driver.read(ENABLE, 2), 0);
    assert_eq!(driver.read(SIZE, 2), u64::from(QUEUE_SIZE));
    driver.add(0);
    driver.set_up();
    driver.word(ENABLE, 1);
    driver.add(1);
    driver.kick(1);
    assert_eq!(driver.used(), 1);
    assert_eq!(driver.broken(), ["5.1.6.2.1"; 0]);
}

#[test]
fn resets_of_queues() {
    let reset = |driver: &mut Driver| driver.word(QUEUE_RESET, 1);
    let add = |driver: &mut Driver| {
        reset(driver);
        driver.add(1);
        driver.read(QUEUE_RESET, 2);
        driver.read(QUEUE_RESET, 2);
    };
    assert_eq!(broken(add), ["2.6.1"]);
    let enable = |driver: &mut Driver| {
        reset(driver);
        driver.read(QUEUE_RESET, 2);
        driver.word(SIZE, 8);
    };
    assert_eq!(broken(enable), ["4.1.4.3.2"]);
    let kick = |driver: &mut Driver| {
        reset(driver);
        driver.kick(1);
    };
    assert_eq!(broken(kick), ["2.6.1"]);
    let zero = |driver: &mut Driver| driver.word(QUEUE_RESET, 0);
    assert_eq!(broken(zero), ["4.1.4.3.2"]);
    let other = |driver: &mut Driver| {
        driver.word(SELECT, 0);
        reset(driver);
    };
    assert_eq!(broken(other), ["2.6.1"]);
    let early = |driver: &mut Driver| {
        driver.read(STATUS, 1);
        driver.status(0);
        assert_eq!(driver.read(STATUS, 1), 0);
        driver.accept(&[VERSION]);
        for bits in [1, 3, 0xb] {
            driver.status(bits);
        }
        driver.word(SELECT, 1);
        driver.word(ENABLE, 1);
        driver.word(QUEUE_RESET, 1);
    };
    assert_eq!(broken_early(early), ["4.1.4.3.2"]);
}

#[test]
fn resets() {
    let mut driver = Driver::ready();
    driver
        .state
        .function
        .as_mut()
        .unwrap()
        .break_down()
        .unwrap();
    assert_eq!(driver.read(STATUS, 1), 0x4f);
    driver.status(0);
    assert_eq!(driver.read(STATUS, 1), 0);
    assert_eq!(driver.state.world.terms.accepted, 0);

    // It comes out of a reset in which it breaks, and says so then.
    driver.status(0);
    let function = driver.state.function.as_mut();
    function.unwrap().break_down().unwrap();
    assert_eq!(driver.read(STATUS, 1), 0);
    assert_eq!(driver.read(STATUS, 1), 0x40);
    driver.status(0);
    assert_eq!(driver.read(STATUS, 1), 0);

    // By the control register of PCI Express.
    let mut driver = Driver::ready();
    let tap = File::open("/dev/null").unwrap();
    let done = driver.state.write_region(CONFIG, 0x48, &[0, 0x80], &tap);
    done.unwrap();
    assert_eq!(driver.read(STATUS, 1), 0);
    driver.word(SELECT, 1);
    assert_eq!(driver.read(ENABLE, 2), 0);
}

/// The registers are reached from the configuration space of PCI too, and that one says where they are.
#[test]
fn window() {
    let mut driver = Driver::ready();
    let tap = File::open("/dev/null").unwrap();
    let state = &mut driver.state;
    let (mut at, mut kinds) = (0x34, Vec::new());
    loop {
        at = u64::from(state.read_region(CONFIG, at, 1).unwrap()[0]);
        if at == 0 {
            break;
        }
        let head = state.read_region(CONFIG, at, 16).unwrap();
        if head[0] == 9 {
            kinds.push(head[3]);
            if head[3] == 5 {
                let place = [STATUS as u32, 1].map(u32::to_le_bytes).concat();
                state.write_region(CONFIG, at + 8, &place, &tap).unwrap();
                assert_eq!(state.read_region(CONFIG, at + 16, 1).unwrap(), [0xf]);
                state.write_region(CONFIG, at + 16, &[0], &tap).unwrap();
            }
        }
        at += 1;
    }
    assert_eq!(kinds, [1, 3, 4, 2, 5]);
    assert_eq!(driver.read(STATUS, 1), 0);
}
