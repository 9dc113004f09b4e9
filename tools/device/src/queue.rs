// SPDX-License-Identifier: GPL-2.0

//! A split virtqueue (virtio 1.3, section 2.7). Its rings are read and written by hand, since the
//! device is to write what no library would.

use crate::{
    chain::{Chain, Memory},
    fault::{Fault, Faults},
    judge::Judge,
    lent::Lent,
};
use std::{collections::VecDeque, io, num::Wrapping, sync::atomic::Ordering};
use vhost_user_backend::{VringRwLock, VringT};
use virtio_queue::QueueT;
use vm_memory::{Bytes, GuestAddress, GuestAddressSpace};

/// `VIRTQ_AVAIL_F_NO_INTERRUPT`
const NO_INTERRUPT: u16 = 1;
/// Where the entries of a ring begin.
const ENTRIES: u64 = 4;
/// Where a ring's index is.
const INDEX: u64 = 2;

/// An entry of the used ring: the chain, and how many bytes were written.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    pub id: u32,
    pub len: u32,
}

/// The driver is told that chains have been used.
#[derive(Default)]
pub struct Completion {
    pub entries: Vec<Used>,
    /// How much further the index goes than there are entries.
    pub jump: u16,
    pub interrupts: Interrupts,
}

/// How many interrupts there are.
#[derive(Clone, Copy, Default)]
pub enum Interrupts {
    /// One if the driver wants it.
    #[default]
    Wanted,
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
}

/// The rings in the guest's memory, as the one who writes used entries needs them.
#[derive(Clone)]
pub struct Ring {
    vring: VringRwLock,
    memory: Memory,
}

impl Queue {
    /// The queue of this number.
    pub fn new(number: usize, vring: VringRwLock, memory: Memory) -> Self {
        let ring = Ring { vring, memory };
        Self {
            number,
            ring,
            waiting: VecDeque::new(),
            faults: Faults::default(),
            stopped: false,
            mute: false,
        }
    }

    /// For whoever gives back chains at another time.
    pub fn ring(&self) -> Ring {
        self.ring.clone()
    }

    /// Takes over all that the driver has made available.
    pub fn fetch(&mut self, indirect: bool, lent: &mut Lent, judge: &mut Judge) -> io::Result<()> {
        let memory = self.ring.memory.memory();
        let mut vring = self.ring.vring.get_mut();
        let queue = vring.get_queue_mut();
        if !queue.ready() {
            return Ok(());
        }
        let end = queue.avail_idx(&*memory, Ordering::Acquire);
        let (size, end) = (queue.size(), end.map_err(io::Error::other)?);
        let flags: u16 = memory
            .load(GuestAddress(queue.avail_ring()), Ordering::Relaxed)
            .map_err(io::Error::other)?;
        let most = if queue.event_idx_enabled() {
            0
        } else {
            NO_INTERRUPT
        };
        judge.check(u16::from_le(flags) <= most, "2.7.7.1", || {
            format!(
                "queue {} has flags {flags:#x}, not {most} at most",
                self.number
            )
        });
        let mut next = Wrapping(queue.next_avail());
        let count = usize::from((end - next).0) + lent.count(self.number);
        judge.check(count <= size.into(), "2.7.6", || {
            format!("queue {} of size {size} has {count} chains", self.number)
        });
        while next != end {
            let at = queue.avail_ring() + ENTRIES + 2 * u64::from(next.0 % size);
            let id: u16 = memory
                .read_obj(GuestAddress(at))
                .map_err(io::Error::other)?;
            match Chain::walk(
                &self.ring.memory,
                queue.desc_table(),
                size,
                u16::from_le(id),
                indirect,
            ) {
                Ok(chain) => {
                    lent.lend(self.number, &chain, judge);
                    self.waiting.push_back(chain);
                }
                Err(violation) => judge.record(violation),
            }
            next += 1;
        }
        queue.set_next_avail(next.0);
        Ok(())
    }

    /// Whether there is a driver that uses it.
    pub fn is_ready(&self) -> bool {
        self.ring.vring.get_ref().get_queue().ready()
    }

    /// What waits to be taken, in its order.
    pub fn waiting(&self) -> &VecDeque<Chain> {
        &self.waiting
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
            let vring = self.ring.vring.clone();
            vring.disable_notification().map_err(io::Error::other)?;
            work(self)?;
            if !vring.enable_notification().map_err(io::Error::other)? {
                return Ok(());
            }
        }
    }

    /// Returns the chains of a packet to the driver, with what is to be wrong with that.
    pub fn complete(
        &mut self,
        entries: Vec<Used>,
        fault: Option<&Fault>,
        lent: &mut Lent,
    ) -> io::Result<()> {
        let mut completion = Completion {
            entries: self.faults.order(fault, entries),
            ..Completion::default()
        };
        if let Some(fault) = fault {
            let size = self.ring.vring.get_ref().get_queue().size();
            fault.of_completion(&mut completion, self.number, size, lent);
        }
        if self.mute {
            completion.interrupts = Interrupts::Exactly(0);
        }
        for used in &completion.entries {
            lent.give_back(self.number, used.id as u16);
        }
        self.ring.complete(&completion)
    }

    /// Gives back what was to be given back later, and interrupts so many times.
    pub fn interrupt(&mut self, count: u32, lent: &mut Lent) -> io::Result<()> {
        let fault = Fault::Interrupts(count);
        self.complete(Vec::new(), Some(&fault), lent)
    }

    /// Forgets what the driver has lent: it has reset the device.
    pub fn reset(&mut self) {
        self.waiting.clear();
        self.faults.reset();
    }
}

impl Ring {
    /// Writes used entries and the index, and interrupts.
    pub fn complete(&self, completion: &Completion) -> io::Result<()> {
        let memory = self.memory.memory();
        let mut vring = self.vring.get_mut();
        let queue = vring.get_queue_mut();
        if !queue.ready() {
            return Ok(());
        }
        let (size, before) = (queue.size(), Wrapping(queue.next_used()));
        let mut next = before;
        for used in &completion.entries {
            let at = queue.used_ring() + ENTRIES + 8 * u64::from(next.0 % size);
            let entry = u64::from(used.len) << 32 | u64::from(used.id);
            memory
                .write_obj(entry.to_le(), GuestAddress(at))
                .map_err(io::Error::other)?;
            next += 1;
        }
        next += completion.jump;
        queue.set_next_used(next.0);
        memory
            .store(
                next.0.to_le(),
                GuestAddress(queue.used_ring() + INDEX),
                Ordering::Release,
            )
            .map_err(io::Error::other)?;
        // The driver may ask for an interrupt at the same time; one of the two sees the other.
        std::sync::atomic::fence(Ordering::SeqCst);

        let word = |at: u64| -> io::Result<u16> {
            let at = GuestAddress(queue.avail_ring() + at);
            let word = memory
                .load(at, Ordering::Relaxed)
                .map_err(io::Error::other)?;
            Ok(u16::from_le(word))
        };
        let interrupts = match completion.interrupts {
            Interrupts::Exactly(count) => count,
            Interrupts::Wanted if queue.event_idx_enabled() => {
                let event = Wrapping(word(ENTRIES + 2 * u64::from(size))?);
                (next - event - Wrapping(1) < next - before).into()
            }
            Interrupts::Wanted => (word(0)? & NO_INTERRUPT == 0).into(),
        };
        (0..interrupts).try_for_each(|_| vring.signal_used_queue())
    }
}
