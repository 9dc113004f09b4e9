// SPDX-License-Identifier: GPL-2.0

//! Rings as a driver writes them, and what it finds there.

use super::{packed::is_among, Completion, Queue, Used};
use crate::{chain::packed::Place, chain::Memory, coalesce::Limits, judge::Judge, lent::Lent};
use vhost_user_backend::{VringRwLock, VringT};
use vm_memory::{Bytes, GuestAddress, GuestAddressSpace, GuestMemoryAtomic, GuestMemoryMmap};

const RING: u64 = 0x1000;
/// What the driver writes beside the ring, and what the device does.
const DRIVER: u64 = 0x2000;
const DEVICE: u64 = 0x3000;
const TABLE: u64 = 0x4000;
const DATA: u64 = 0x8000;
const SIZE: u16 = 8;
const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECT: u16 = 4;
/// Both flags that say whose a descriptor is.
const BOTH: u16 = (1 << 7) | (1 << 15);

/// A driver with a queue of its device.
struct Driver {
    memory: Memory,
    vring: VringRwLock,
    queue: Queue,
    lent: Lent,
    judge: Judge,
    /// Where it makes something available next, and finds something used next.
    available: Place,
    used: Place,
}

impl Driver {
    fn new(packed: bool) -> Self {
        let ranges = [(GuestAddress(0), 0x10_0000)];
        let memory = GuestMemoryAtomic::new(GuestMemoryMmap::from_ranges(&ranges).unwrap());
        let vring = VringRwLock::new(memory.clone(), SIZE).unwrap();
        vring.set_queue_size(SIZE);
        vring.set_queue_info(RING, DRIVER, DEVICE).unwrap();
        let first = Place {
            index: 0,
            wrap: true,
        };
        vring.set_queue_next_avail(if packed { first.bits() } else { 0 });
        vring.set_queue_ready(true);
        Self {
            queue: Queue::new(0, vring.clone(), memory.clone(), packed),
            memory,
            vring,
            lent: Lent::default(),
            judge: Judge::default(),
            available: first,
            used: first,
        }
    }

    fn put<T: vm_memory::ByteValued>(&self, at: u64, value: T) {
        self.memory
            .memory()
            .write_obj(value, GuestAddress(at))
            .unwrap();
    }

    fn get<T: vm_memory::ByteValued>(&self, at: u64) -> T {
        self.memory.memory().read_obj(GuestAddress(at)).unwrap()
    }

    /// Writes a descriptor of a packed ring, or of a table.
    fn describe(&self, at: u64, (start, len, flags): (u64, u32, u16), id: u16) {
        let second = u64::from(len) | (u64::from(id) << 32) | (u64::from(flags) << 48);
        self.put(at, [start.to_le(), second.to_le()]);
    }

    /// Makes a chain available; lengths and flags of its parts.
    fn lend(&mut self, id: u16, parts: &[(u32, u16)]) {
        for (number, (len, flags)) in parts.iter().enumerate() {
            let next = if number + 1 < parts.len() { NEXT } else { 0 };
            let flags = flags | next | self.available.available();
            let start = DATA + 0x1000 * u64::from(id) + 0x100 * number as u64;
            let at = RING + 16 * u64::from(self.available.index);
            self.describe(at, (start, *len, flags), id);
            self.available = self.available.after(1, SIZE);
        }
    }

    /// What the device takes: the chains with the lengths of their parts.
    fn taken(&mut self) -> Vec<(u16, Vec<u32>)> {
        self.queue
            .fetch(true, &mut self.lent, &mut self.judge)
            .unwrap();
        let chains = std::iter::from_fn(|| self.queue.take());
        chains
            .map(|chain| (chain.id, chain.parts.iter().map(|part| part.len).collect()))
            .collect()
    }

    fn use_up(&mut self, entries: &[(u32, u32)]) {
        let entries = entries.iter().map(|(id, len)| Used { id: *id, len: *len });
        self.queue
            .complete(entries.collect(), None, Limits::default(), &mut self.lent)
            .unwrap();
    }

    /// What the driver finds used, if it was a chain of `count` descriptors.
    fn found(&mut self, count: u16) -> Option<(u16, u32)> {
        let at = RING + 16 * u64::from(self.used.index);
        let flags = u16::from_le(self.get(at + 14));
        (flags & BOTH == self.used.used()).then(|| {
            self.used = self.used.after(count, SIZE);
            (
                u16::from_le(self.get(at + 12)),
                u32::from_le(self.get(at + 8)),
            )
        })
    }

    fn broken(&mut self) -> Vec<&'static str> {
        let found = self.judge.take();
        found.iter().map(|violation| violation.section).collect()
    }
}

/// Chains of one and of several descriptors, used in another order, several times around.
#[test]
fn packed() {
    let mut driver = Driver::new(true);
    assert_eq!(driver.taken(), []);
    for round in 0..10 {
        driver.lend(3, &[(10, 0), (20, 0), (30, WRITE)]);
        driver.lend(4, &[(40 + round, WRITE)]);
        driver.lend(5, &[(50, 0), (60, WRITE)]);
        let all = [
            (3, vec![10, 20, 30]),
            (4, vec![40 + round]),
            (5, vec![50, 60]),
        ];
        assert_eq!(driver.taken(), all);
        assert_eq!(driver.taken(), []);
        assert_eq!(driver.found(1), None);
        driver.use_up(&[(5, 60), (4, 7)]);
        assert_eq!(driver.found(2), Some((5, 60)));
        assert_eq!(driver.found(1), Some((4, 7)));
        assert_eq!(driver.found(3), None);
        driver.use_up(&[(3, 0)]);
        assert_eq!(driver.found(3), Some((3, 0)));
        assert_eq!(driver.found(1), None);
    }
    assert!(driver.broken().is_empty());
    assert_eq!(driver.vring.queue_next_avail(), driver.available.bits());
}

/// All of the ring is in use, and all is given back.
#[test]
fn packed_and_full() {
    let mut driver = Driver::new(true);
    for _ in 0..3 {
        for id in 0..SIZE {
            driver.lend(id, &[(1, WRITE)]);
        }
        assert_eq!(driver.taken().len(), usize::from(SIZE));
        let entries: Vec<_> = (0..SIZE.into()).map(|id| (id, 1)).collect();
        driver.use_up(&entries);
        for id in 0..SIZE {
            assert_eq!(driver.found(1), Some((id, 1)));
        }
    }
    assert!(driver.broken().is_empty());
}

#[test]
fn packed_tables() {
    let broken = |parts: &[(u64, u32, u16)], len, flags, indirect| {
        let mut driver = Driver::new(true);
        for (number, part) in parts.iter().enumerate() {
            driver.describe(TABLE + 16 * number as u64, *part, 0);
        }
        let flags = flags | driver.available.available();
        driver.describe(RING, (TABLE, len, flags), 7);
        driver.describe(RING + 16, (DATA, 1, driver.available.available()), 6);
        driver
            .queue
            .fetch(indirect, &mut driver.lent, &mut driver.judge)
            .unwrap();
        driver.broken()
    };
    let good = [(DATA, 10, 0), (DATA + 10, 10, WRITE)];
    assert!(broken(&good, 32, INDIRECT, true).is_empty());
    assert_eq!(broken(&good, 32, INDIRECT, false), ["2.8.19"]);
    assert_eq!(broken(&good, 32, INDIRECT | NEXT, true), ["2.8.19"]);
    assert_eq!(broken(&good, 31, INDIRECT, true), ["2.8.7"]);
    assert_eq!(broken(&good, 0, INDIRECT, true), ["2.8.7"]);
    let many = [(DATA, 10, 0); 9];
    assert!(broken(&many, 16 * 8, INDIRECT, true).is_empty());
    assert_eq!(broken(&many, 16 * 9, INDIRECT, true), ["2.8.17"]);
    let nested = [(DATA, 16, INDIRECT)];
    assert_eq!(broken(&nested, 16, INDIRECT, true), ["2.8.19"]);
    let chained = [(DATA, 10, NEXT), (DATA, 10, 0)];
    assert_eq!(broken(&chained, 32, INDIRECT, true), ["2.8.19"]);
    let order = [(DATA, 10, WRITE), (DATA + 10, 10, 0)];
    assert_eq!(broken(&order, 32, INDIRECT, true), ["2.8.17"]);
}

#[test]
fn packed_chains() {
    let broken = |parts: &[(u32, u16)], act: &dyn Fn(&Driver)| {
        let mut driver = Driver::new(true);
        driver.lend(1, parts);
        act(&driver);
        driver.taken();
        driver.broken()
    };
    assert!(broken(&[(1, 0), (1, WRITE)], &|_| ()).is_empty());
    assert_eq!(broken(&[(1, WRITE), (1, 0)], &|_| ()), ["2.8.17"]);
    assert!(broken(&[(1, 0); 8], &|_| ()).is_empty());
    // The last one says that there is another.
    assert_eq!(
        broken(&[[(1, 0); 7].as_slice(), &[(1, NEXT)]].concat(), &|_| ()),
        ["2.8.17"]
    );
    let hidden = |driver: &Driver| driver.put(RING + 16 + 14, 0u16);
    assert_eq!(broken(&[(1, 0), (1, 0)], &hidden), ["2.8.6"]);
}

#[test]
fn packed_events() {
    let broken = |flags: u16, event_idx| {
        let mut driver = Driver::new(true);
        driver.vring.set_queue_event_idx(event_idx);
        driver.put(DRIVER + 2, flags.to_le());
        driver.taken();
        driver.broken()
    };
    assert!(
        broken(0, false).is_empty() && broken(1, false).is_empty() && broken(2, true).is_empty()
    );
    assert_eq!(broken(2, false), ["2.8.10"]);
    assert_eq!(broken(3, true), ["2.8.10"]);
    assert_eq!(broken(4, true), ["2.8.10"]);
}

#[test]
fn events() {
    let place = |index, wrap| Place { index, wrap };
    let among = |index, wrap, from, to| is_among(place(index, wrap), from, to);
    let (low, high) = (place(2, true), place(5, true));
    for (index, wrap, is) in [
        (1, true, false),
        (2, true, true),
        (4, true, true),
        (5, true, false),
        (3, false, false),
    ] {
        assert_eq!(among(index, wrap, low, high), is, "{index} {wrap}");
    }
    assert!(!among(2, true, low, low));
    let around = place(1, false);
    for (index, wrap, is) in [
        (4, true, false),
        (5, true, true),
        (7, true, true),
        (0, false, true),
        (1, false, false),
        (6, false, false),
    ] {
        assert_eq!(among(index, wrap, high, around), is, "{index} {wrap}");
    }
}

#[test]
fn places() {
    for bits in [0, 0x8000, 0x80ff, 0x7fff] {
        assert_eq!(Place::from_bits(bits).bits(), bits);
    }
    let last = Place::from_bits(0x8007);
    assert_eq!(last.after(0, SIZE), last);
    assert_eq!(last.after(1, SIZE).bits(), 0);
    assert_eq!(last.after(1 + SIZE, SIZE).bits(), 0x8000);
}

/// An answer to a command of before a reset comes too late.
#[test]
fn late() {
    let mut driver = Driver::new(true);
    driver.lend(1, &[(1, WRITE)]);
    assert_eq!(driver.taken().len(), 1);
    let (ring, entries) = (driver.queue.ring(), vec![Used { id: 1, len: 1 }]);
    driver.queue.reset(true);
    let completion = Completion {
        entries,
        ..Completion::default()
    };
    ring.complete(&completion).unwrap();
    assert_eq!(driver.found(1), None);
}

#[test]
fn split_flags() {
    let broken = |flags: u16, event_idx| {
        let mut driver = Driver::new(false);
        driver.vring.set_queue_event_idx(event_idx);
        driver.put(DRIVER, flags.to_le());
        driver.taken();
        driver.broken()
    };
    assert!(broken(0, true).is_empty() && broken(1, false).is_empty());
    assert_eq!(broken(2, false), ["2.7.7.1"]);
    assert_eq!(broken(1, true), ["2.7.7.1"]);
}

#[test]
fn a_queue_that_was_stopped_is_left_alone() {
    for packed in [false, true] {
        let driver = Driver::new(packed);
        assert!(driver.queue.hold(|| Ok(())).is_some());
        driver.vring.set_queue_ready(false);
        assert!(driver.queue.hold(|| Ok(())).is_none());
        let mut queue = driver.queue;
        queue.drain(|_| Ok(())).unwrap();
        let used = [Used { id: 0, len: 0 }];
        let mut lent = Lent::default();
        let limits = Limits::default();
        queue
            .complete(used.to_vec(), None, limits, &mut lent)
            .unwrap();
        let mut bytes = vec![0; 0x5000];
        let memory = driver.memory.memory();
        memory.read_slice(&mut bytes, GuestAddress(0)).unwrap();
        assert!(bytes.iter().all(|byte| *byte == 0));
    }
}
