// SPDX-License-Identifier: GPL-2.0

//! What devlink shows of a ring.

use kernel::{
    net::{
        devlink::Message,
        stats::Gauge, //
    },
    virtio::queue::{
        Buffer,
        Moment,
        Virtqueue, //
    },
};

/// What a ring was like when somebody who had it looked last, for whoever wants to know.
#[derive(Default)]
pub(crate) struct Ring {
    /// In descriptors; 0 if nobody has looked.
    size: Gauge,
    free: Gauge,
    /// Of a split ring, the index of what was lent, and of what was used of that.
    indices: Indices,
    kicked: Moment,
    interrupted: Moment,
}

#[derive(Default)]
struct Indices {
    known: Gauge,
    available: Gauge,
    used: Gauge,
}

impl Ring {
    /// Looks at a ring. Whoever calls this has it.
    pub(crate) fn look<B: Buffer>(&self, queue: &Virtqueue<B>) {
        self.free.set(queue.num_free());
        if let Some(indices) = queue.indices() {
            self.indices.available.set(indices.available.into());
            self.indices.used.set(indices.used.into());
            self.indices.known.set(1);
        }
        self.kicked.copy(queue.last_kick());
        if let Some(interrupt) = queue.last_interrupt() {
            self.interrupted.copy(interrupt);
        }
        self.size.set(queue.size());
    }

    /// Nobody has looked at the ring that there is now. Any context.
    pub(crate) fn forget(&self) {
        self.size.set(0);
    }

    /// Whether somebody has looked. Any context.
    pub(crate) fn is_known(&self) -> bool {
        self.size.get() != 0
    }

    /// What devlink shows. Any context.
    pub(super) fn show(&self, message: &mut Message<'_>) {
        let (size, free) = (self.size.get(), self.free.get());
        message.number(c"size", size.into());
        message.number(c"free", free.into());
        message.number(c"owed", size.saturating_sub(free).into());
        if self.indices.known.get() != 0 {
            message.number(c"available index", self.indices.available.get().into());
            message.number(c"used index", self.indices.used.get().into());
        }
        for (name, moment) in [
            (c"ms since kick", &self.kicked),
            (c"ms since interrupt", &self.interrupted),
        ] {
            if let Some(elapsed) = moment.elapsed_ms() {
                message.number(name, elapsed);
            }
        }
    }
}
