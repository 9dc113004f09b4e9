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

/// What was so at the last glance, for each queue: how far it had come, if there were used buffers.
pub(crate) struct Watches(KVVec<AtomicU64>);

impl Watches {
    pub(crate) fn new(queues: u16) -> Result<Self> {
        let mut watches = KVVec::with_capacity(queues.into(), GFP_KERNEL)?;
        for _ in 0..queues {
            watches.push(AtomicU64::new(NONE), GFP_KERNEL)?;
        }
        Ok(Self(watches))
    }

    /// The first queue that was broken at the last glance. Any context.
    pub(crate) fn broken(&self) -> Option<u16> {
        let is_broken = |(_, watch): &(u16, &AtomicU64)| watch.load(Relaxed) == BROKEN;
        (0..).zip(&self.0).find(is_broken).map(|(queue, _)| queue)
    }

    /// All queues are others.
    pub(crate) fn renew(&self) {
        for watch in &self.0 {
            watch.store(NONE, Relaxed);
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
    let Some(watch) = health.rx.0.get(usize::from(index)) else {
        return rx.leave();
    };
    let before = watch.swap(now, Relaxed);
    match now {
        NONE | BROKEN => rx.leave(),
        _ if now == before => {
            health.counts.polls.add();
            poll(device, rx)
        }
        _ => rx.leave(),
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
