// SPDX-License-Identifier: GPL-2.0

//! A virtqueue, split or packed (virtio 1.3, sections 2.7 and 2.8). Its rings are read and written by
//! hand, since the device is to write what no library would.

mod packed;
mod split;
#[cfg(test)]
mod tests;

use crate::{
    chain::{Chain, Memory},
    coalesce::{Coalesced, Limits},
    fault::{Fault, Faults},
    judge::{Judge, Violation},
    lent::Lent,
};
use packed::Packed;
use std::{collections::VecDeque, fs::File, io, time::Instant};
use vhost_user_backend::{VringRwLock, VringT};
use virtio_queue::QueueT;

/// What the driver has made available: chains, and what should have been some.
type Found = Vec<Result<Chain, Violation>>;

/// What the driver is told of a chain: which it is, and how many bytes were written.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    pub id: u32,
    pub len: u32,
}

/// The driver is notified that chains have been used.
#[derive(Default)]
pub struct Completion {
    pub entries: Vec<Used>,
    /// How much further the index goes than there are entries. A packed queue has none.
    pub jump: u16,
    pub interrupts: Interrupts,
    /// Where the driver was notified of last, if not of all before these entries.
    pub since: Option<u16>,
}

/// What came of a completion.
#[derive(Default)]
struct Completed {
    /// How many interrupts there are to be.
    interrupts: u32,
    /// Where in the ring it began.
    from: u16,
}

/// How many interrupts there are.
#[derive(Clone, Copy, Default)]
pub enum Interrupts {
    /// One if the driver wants it.
    #[default]
    Wanted,
    /// Not yet.
    Later,
    /// So many, whatever the driver wants.
    Exactly(u32),
}

/// A queue of the device.
pub struct Queue {
    /// Counted from 0: receive and transmit queues in turn, then the control queue.
    pub number: usize,
    ring: Ring,
    /// What the driver has made available and nobody has taken.
    waiting: VecDeque<Chain>,
    /// What is wrong with the next packets.
    pub faults: Faults,
    /// Whether the device does nothing in it, whatever the driver says.
    pub stopped: bool,
    /// Whether there are no interrupts.
    pub mute: bool,
    /// How many of the next notifications by the driver are not heard.
    pub deaf: u32,
    /// What the driver is to be notified of later.
    coalesced: Coalesced,
}

/// Where the rings are in the guest's memory.
#[derive(Clone)]
struct Rings {
    vring: VringRwLock,
    memory: Memory,
    /// How many descriptors there are, if the crate, which knows split rings only, does not take it.
    size: Option<u16>,
}

/// What they look like.
#[derive(Clone)]
enum Layout {
    Split,
    Packed(Packed),
}

/// The rings, as the one who uses chains needs them.
#[derive(Clone)]
pub struct Ring {
    rings: Rings,
    layout: Layout,
}

impl Queue {
    /// The queue of this number, with packed rings or split ones.
    pub fn new(number: usize, vring: VringRwLock, memory: Memory, packed: bool) -> Self {
        let rings = Rings {
            vring,
            memory,
            size: None,
        };
        let layout = Layout::new(packed);
        Self {
            number,
            ring: Ring { rings, layout },
            waiting: VecDeque::new(),
            faults: Faults::default(),
            stopped: false,
            mute: false,
            deaf: 0,
            coalesced: Coalesced::default(),
        }
    }

    /// For whoever gives back chains at another time.
    pub fn ring(&self) -> Ring {
        self.ring.clone()
    }

    /// Takes over all that the driver has made available.
    pub fn fetch(&mut self, indirect: bool, lent: &mut Lent, judge: &mut Judge) -> io::Result<()> {
        let rings = &self.ring.rings;
        let found = match &self.ring.layout {
            Layout::Split => split::fetch(rings, indirect, lent.count(self.number), judge),
            Layout::Packed(packed) => packed.fetch(rings, indirect, judge),
        };
        for chain in found? {
            match chain {
                Ok(chain) => {
                    lent.lend(self.number, &chain, judge);
                    self.waiting.push_back(chain);
                }
                Err(violation) => judge.record(violation),
            }
        }
        Ok(())
    }

    /// Whether there is a driver that uses it.
    pub fn is_ready(&self) -> bool {
        self.ring.rings.vring.get_ref().get_queue().ready()
    }

    /// What waits to be taken, in its order.
    pub fn waiting(&self) -> &VecDeque<Chain> {
        &self.waiting
    }

    /// Does something with memory that the driver has lent. Until that is done QEMU cannot stop the queue, so
    /// the driver's reset of the device has not come to its end, and the memory is not another's yet. Nothing is
    /// done if the queue has been stopped.
    pub fn hold<T>(&self, with: impl FnOnce() -> io::Result<T>) -> Option<io::Result<T>> {
        let vring = self.ring.rings.vring.get_ref();
        vring.get_queue().ready().then(with)
    }

    /// Takes the next chain.
    pub fn take(&mut self) -> Option<Chain> {
        self.waiting.pop_front()
    }

    /// Undoes the last [`Queue::take`].
    pub fn put_back(&mut self, chain: Chain) {
        self.waiting.push_front(chain);
    }

    /// Works off all that is in the queue, also what comes meanwhile.
    pub fn drain(&mut self, mut work: impl FnMut(&mut Self) -> io::Result<()>) -> io::Result<()> {
        loop {
            let Ring { rings, layout } = self.ring();
            match &layout {
                Layout::Split => split::ask_for_nothing(&rings)?,
                Layout::Packed(packed) => packed.ask_for_nothing(&rings)?,
            }
            work(self)?;
            let is_more = match &layout {
                Layout::Split => split::ask_for_more(&rings)?,
                Layout::Packed(packed) => packed.ask_for_more(&rings)?,
            };
            if !is_more {
                return Ok(());
            }
        }
    }

    /// Returns the chains of a packet to the driver, with what is to be wrong with that. Says how many interrupts there were.
    pub fn complete(
        &mut self,
        entries: Vec<Used>,
        fault: Option<&Fault>,
        limits: Limits,
        lent: &mut Lent,
    ) -> io::Result<u32> {
        let mut completion = Completion {
            entries: self.faults.order(fault, entries),
            ..Completion::default()
        };
        if let Some(fault) = fault {
            let rings = &self.ring.rings;
            let size = rings.size(rings.vring.get_ref().get_queue());
            fault.of_completion(&mut completion, self.number, size, lent);
        }
        if self.mute {
            completion.interrupts = Interrupts::Exactly(0);
        }
        let is_a_packet = !completion.entries.is_empty();
        let is_wanted = matches!(completion.interrupts, Interrupts::Wanted);
        if is_a_packet && is_wanted && self.coalesced.add(limits, Instant::now()) {
            completion.interrupts = Interrupts::Later;
        }
        for used in &completion.entries {
            lent.give_back(self.number, used.id as u16);
        }
        self.notify(completion)
    }

    fn notify(&mut self, completion: Completion) -> io::Result<u32> {
        let since = self.coalesced.since;
        let completed = self.ring.notify(&Completion {
            since,
            ..completion
        })?;
        if matches!(completion.interrupts, Interrupts::Later) {
            self.coalesced.since.get_or_insert(completed.from);
        } else {
            self.coalesced = Coalesced::default();
        }
        Ok(completed.interrupts)
    }

    /// Whether there is something to notify the driver of later.
    pub fn has_coalesced(&self) -> bool {
        self.coalesced.since.is_some()
    }

    /// When the driver is to be notified of what was put off.
    pub fn due(&self, limits: Limits) -> Option<Instant> {
        self.coalesced.due(limits)
    }

    /// Notifies the driver of what was put off, if it is time. Says how many interrupts there were.
    pub fn notify_if_due(&mut self, limits: Limits, now: Instant) -> io::Result<u32> {
        if !self.coalesced.is_due(limits, now) {
            return Ok(0);
        }
        self.notify(Completion {
            interrupts: if self.mute {
                Interrupts::Exactly(0)
            } else {
                Interrupts::Wanted
            },
            ..Completion::default()
        })
    }

    /// Uses rings with so many descriptors at these addresses, which are those of the descriptors, of what the
    /// driver writes and of what the device does, from their beginning. `events` says whether either side says
    /// when it wants to be notified.
    pub fn enable(&mut self, size: u16, addresses: [u64; 3], events: bool) -> io::Result<()> {
        let is_packed = matches!(self.ring.layout, Layout::Packed(_));
        let rings = &mut self.ring.rings;
        rings.size = is_packed.then_some(size);
        let [descriptors, driver, device] = addresses;
        let mut vring = rings.vring.get_mut();
        vring.get_queue_mut().reset();
        vring
            .set_queue_info(descriptors, driver, device)
            .map_err(io::Error::other)?;
        let queue = vring.get_queue_mut();
        if !is_packed {
            queue.try_set_size(size).map_err(io::Error::other)?;
        }
        queue.set_event_idx(events);
        // The wrap counter of a packed ring is 1 at first.
        queue.set_next_avail(if is_packed { 1 << 15 } else { 0 });
        queue.set_ready(true);
        Ok(())
    }

    /// Uses no rings any more.
    pub fn disable(&mut self) {
        let mut vring = self.ring.rings.vring.get_mut();
        vring.get_queue_mut().set_ready(false);
    }

    /// Whoever reads this file is interrupted from now on.
    pub fn interrupt_by(&self, file: Option<File>) {
        self.ring.rings.vring.set_call(file);
    }

    /// Forgets what the driver has lent: it has reset the device, and has packed rings or split ones
    /// from now on.
    pub fn reset(&mut self, packed: bool) {
        self.waiting.clear();
        self.coalesced = Coalesced::default();
        self.faults.reset();
        if let Layout::Packed(packed) = &self.ring.layout {
            packed.give_up();
        }
        self.ring.layout = Layout::new(packed);
    }
}

impl Rings {
    fn size(&self, queue: &virtio_queue::Queue) -> u16 {
        self.size.unwrap_or_else(|| queue.size())
    }
}

impl Layout {
    fn new(packed: bool) -> Self {
        if packed {
            Self::Packed(Packed::default())
        } else {
            Self::Split
        }
    }
}

impl Ring {
    /// Notifies the driver of what has been used, and interrupts. Says how often.
    pub fn complete(&self, completion: &Completion) -> io::Result<u32> {
        Ok(self.notify(completion)?.interrupts)
    }

    fn notify(&self, completion: &Completion) -> io::Result<Completed> {
        let completed = match &self.layout {
            Layout::Split => split::complete(&self.rings, completion),
            Layout::Packed(packed) => packed.complete(&self.rings, completion),
        }?;
        (0..completed.interrupts).try_for_each(|_| self.rings.vring.signal_used_queue())?;
        Ok(completed)
    }
}
