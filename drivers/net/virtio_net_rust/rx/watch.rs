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
use crate::health::Ring;
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
    ring: Ring,
}

/// What was so at the last glance.
pub(crate) enum Seen<'a> {
    /// Nobody has looked, since the interface is down or has just been set up.
    Unknown,
    /// The virtio core had given up the queue.
    Broken(&'a Ring),
    /// Whether there was something that had not been taken.
    InUse { ring: &'a Ring, waiting: bool },
}

impl Watches {
    pub(crate) fn new(queues: u16) -> Result<Self> {
        let mut watches = KVVec::with_capacity(queues.into(), GFP_KERNEL)?;
        for _ in 0..queues {
            let watch = Watch {
                position: AtomicU64::new(NONE),
                ring: Ring::default(),
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
    pub(crate) fn seen(&self, queue: u16) -> Seen<'_> {
        let Some(watch) = self.queues.get(usize::from(queue)) else {
            return Seen::Unknown;
        };
        match watch.position.load(Relaxed) {
            _ if !watch.ring.is_known() => Seen::Unknown,
            BROKEN => Seen::Broken(&watch.ring),
            position => Seen::InUse {
                ring: &watch.ring,
                waiting: position != NONE,
            },
        }
    }

    /// All queues are others.
    pub(crate) fn renew(&self) {
        for watch in &self.queues {
            watch.position.store(NONE, Relaxed);
            watch.ring.forget();
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
    let Some(watch) = health.rx.queues.get(usize::from(index)) else {
        return rx.leave();
    };
    let before = watch.position.swap(now, Relaxed);
    access.state.look(&watch.ring);
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

    fn look(&self, seen: &Ring) {
        match &self.0 {
            Kinds::Single(ring) => seen.look(&ring.queue),
            Kinds::Chained(ring) => seen.look(&ring.queue),
            Kinds::Xsk(ring) => seen.look(&ring.queue),
        }
    }
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
