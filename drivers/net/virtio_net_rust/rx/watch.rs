// SPDX-License-Identifier: GPL-2.0

//! A glance at a receive queue, by the [watchdog](crate::health).
//!
//! It looks whether the ring has used buffers that nobody takes, and has the queue polled only if it has at two glances in a row:
//! what the device tells of late, as it has been asked to, is left to it.

use super::{
    poll,
    Kinds,
    Queue,
    VirtioNet, //
};
use core::sync::atomic::{
    AtomicBool,
    AtomicU64,
    Ordering::Relaxed, //
};
use kernel::{
    net::{
        Device,
        Done,
        RxPoll, //
    },
    prelude::*,
    virtio::queue::{
        Incoming,
        Virtqueue, //
    },
};

/// Nothing is waiting.
const NONE: u64 = u64::MAX;

/// The queue is broken.
const BROKEN: u64 = u64::MAX - 1;

/// What was so at the last glance.
pub(crate) struct Watches {
    queues: KVVec<Watch>,
    /// Whether there was something in a queue that had not been there at the glance before.
    suspected: AtomicBool,
}

struct Watch {
    /// How far the queue had come, if there were used buffers.
    position: AtomicU64,
    /// The size of its ring, in descriptors, and how many were free; 0 if nobody has looked.
    ring: AtomicU64,
}

/// What was so at the last glance.
pub(crate) enum Seen {
    /// Nobody has looked, since the interface is down or has just been set up.
    Unknown,
    /// The virtio core had given up the queue.
    Broken,
    /// Of so many descriptors so many were free. Whether there was something that had not been taken.
    InUse { size: u32, free: u32, waiting: bool },
}

impl Watches {
    pub(crate) fn new(queues: u16) -> Result<Self> {
        let mut watches = KVVec::with_capacity(queues.into(), GFP_KERNEL)?;
        for _ in 0..queues {
            let watch = Watch {
                position: AtomicU64::new(NONE),
                ring: AtomicU64::new(0),
            };
            watches.push(watch, GFP_KERNEL)?;
        }
        Ok(Self {
            queues: watches,
            suspected: AtomicBool::new(false),
        })
    }

    /// The first queue that was broken at the last glance. Any context.
    pub(crate) fn broken(&self) -> Option<u16> {
        let is_broken = |(_, watch): &(u16, &Watch)| watch.position.load(Relaxed) == BROKEN;
        (0..)
            .zip(&self.queues)
            .find(is_broken)
            .map(|(queue, _)| queue)
    }

    /// Whether the next glance decides about a queue, by what was found since this was asked last. Any context.
    pub(crate) fn suspected(&self) -> bool {
        self.suspected.swap(false, Relaxed)
    }

    /// What was so of a queue. Any context.
    pub(crate) fn seen(&self, queue: u16) -> Seen {
        let Some(watch) = self.queues.get(usize::from(queue)) else {
            return Seen::Unknown;
        };
        let position = watch.position.load(Relaxed);
        // CAST: Two halves of a word.
        let (size, free) = match watch.ring.load(Relaxed) {
            0 => return Seen::Unknown,
            ring => ((ring >> 32) as u32, ring as u32),
        };
        match position {
            BROKEN => Seen::Broken,
            _ => Seen::InUse {
                size,
                free,
                waiting: position != NONE,
            },
        }
    }

    /// All queues are others.
    pub(crate) fn renew(&self) {
        for watch in &self.queues {
            watch.position.store(NONE, Relaxed);
            watch.ring.store(0, Relaxed);
        }
    }
}

/// Looks at a receive queue, and polls it if that is overdue.
pub(crate) fn look<'poll>(
    device: &Device<VirtioNet>,
    mut rx: RxPoll<'poll, VirtioNet>,
) -> Done<'poll> {
    let health = &device.shared().health;
    let access = rx.access();
    let index = access.polling.napi().index();
    let now = access.state.waiting();
    let (size, free) = access.state.room();
    let Some(watch) = health.rx.queues.get(usize::from(index)) else {
        return rx.leave();
    };
    let before = watch.position.swap(now, Relaxed);
    let ring = u64::from(size) << 32 | u64::from(free);
    watch.ring.store(ring, Relaxed);
    match now {
        NONE | BROKEN => rx.leave(),
        _ if now == before => {
            health.counts.polls.add();
            device.trace_health_step(c"poll", Some(index));
            poll(device, rx)
        }
        _ => {
            health.rx.suspected.store(true, Relaxed);
            rx.leave()
        }
    }
}

impl Queue {
    /// How far the queue has come if there are used buffers, or one of the above.
    fn waiting(&mut self) -> u64 {
        match &mut self.0 {
            Kinds::Single(ring) => waiting(&mut ring.queue),
            Kinds::Chained(ring) => waiting(&mut ring.queue),
            Kinds::Xsk(ring) => waiting(&mut ring.queue),
        }
    }

    /// The size of the ring, in descriptors, and how many are free.
    fn room(&self) -> (u32, u32) {
        match &self.0 {
            Kinds::Single(ring) => room(&ring.queue),
            Kinds::Chained(ring) => room(&ring.queue),
            Kinds::Xsk(ring) => room(&ring.queue),
        }
    }
}

fn room<B: Incoming>(queue: &Virtqueue<B>) -> (u32, u32) {
    (queue.size(), queue.num_free())
}

fn waiting<B: Incoming>(queue: &mut Virtqueue<B>) -> u64 {
    if queue.is_broken() {
        return BROKEN;
    }
    // The interrupt is asked for once more, as the device may have missed that.
    let armed = queue.arm();
    if armed.pending() {
        armed.position().into()
    } else {
        NONE
    }
}
