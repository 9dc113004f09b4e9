// SPDX-License-Identifier: GPL-2.0

//! What changes while the device is used.

use crate::{
    chain::Memory,
    coalesce::Coalescing,
    control::Control,
    count::Counts,
    fault::Fault,
    features,
    filter::{Address, Filter},
    judge::{Judge, Violation},
    lent::Lent,
    notice::Channel,
    offloads::Offloads,
    others,
    packets::Traffic,
    pci::Function,
    peer::Peer,
    queue::{Queue, Used},
    rss::Steering,
    space::Space,
    terms::Terms,
};
use std::{
    fs::File,
    io,
    sync::{Arc, Condvar},
    time::Instant,
};

/// What changes while the device is used.
pub struct State {
    /// The guest's, once it is there.
    pub memory: Option<Memory>,
    /// All queues, once one of them is used.
    pub queues: Vec<Queue>,
    /// What all queues share.
    pub world: World,
    /// What the control queue was told, and is to answer.
    pub control: Control,
    /// Packets.
    pub traffic: Traffic,
    /// Where QEMU is told that the configuration is another one, once QEMU is there with vhost-user.
    pub channel: Option<Channel>,
    /// The PCI function, if that is ours and not QEMU's.
    pub function: Option<Function>,
}

/// What all queues share.
pub struct World {
    /// What the driver and the device have agreed on.
    pub terms: Terms,
    /// How many pairs of queues the driver may use to send.
    pub pairs: u16,
    /// Which of them it receives with.
    pub steering: Steering,
    /// How long it waits for interrupts.
    pub coalescing: Coalescing,
    /// For whoever interrupts when it is time.
    pub alarm: Arc<Condvar>,
    /// What it takes at the moment of what it has accepted.
    pub offloads: Offloads,
    /// What it wants to receive.
    pub filter: Filter,
    /// What the device has of the driver's.
    pub lent: Lent,
    /// What the driver has done wrong.
    pub judge: Judge,
    /// What has happened in each queue since the device was reset.
    pub counts: Counts,
}

impl World {
    /// Takes over what the driver has made available in a queue.
    pub fn fetch(&mut self, queue: &mut Queue) -> io::Result<()> {
        let indirect = self.terms.has(features::INDIRECT_DESC);
        let before = queue.waiting().len();
        queue.fetch(indirect, &mut self.lent, &mut self.judge)?;
        let (pair, sends) = (queue.number / 2, queue.number % 2 == 1);
        for chain in queue.waiting().iter().skip(before) {
            if sends {
                self.judge
                    .check(pair < self.pairs.into(), "5.1.6.5.6.1", || {
                        format!(
                            "a packet in the transmit queue of pair {pair}, which is not in use"
                        )
                    });
            } else if pair < self.terms.pairs.into() {
                self.judge.see_buffer(chain, &self.terms);
            }
        }
        Ok(())
    }

    /// Returns the chains of a packet to the driver.
    pub fn complete(
        &mut self,
        queue: &mut Queue,
        entries: Vec<Used>,
        fault: Option<&Fault>,
    ) -> io::Result<()> {
        let limits = self.coalescing.of(queue.number);
        let interrupts = queue.complete(entries, fault, limits, &mut self.lent)?;
        self.counts.of(queue.number).interrupts += u64::from(interrupts);
        if queue.has_coalesced() {
            self.alarm.notify_one();
        }
        Ok(())
    }

    /// Interrupts so many times for a queue, and gives back what was to be given back later.
    pub fn interrupt(&mut self, queue: &mut Queue, count: u32) -> io::Result<()> {
        self.complete(queue, Vec::new(), Some(&Fault::Interrupts(count)))
    }
}

impl State {
    /// Of a device with so many pairs of queues, which says this of itself.
    pub fn new(pairs: u16, space: Space) -> Self {
        Self {
            memory: None,
            queues: Vec::new(),
            world: World {
                terms: Terms {
                    accepted: 0,
                    pairs,
                    space,
                },
                pairs: 1,
                steering: Steering::default(),
                coalescing: Coalescing::default(),
                alarm: Arc::default(),
                offloads: Offloads::default(),
                filter: Filter::default(),
                lent: Lent::default(),
                judge: Judge::default(),
                counts: Counts::default(),
            },
            control: Control::default(),
            traffic: Traffic::default(),
            channel: None,
            function: None,
        }
    }

    /// The driver starts over, with these of the features that are offered.
    pub fn reset(&mut self, offered: u128, accepted: u128) {
        self.world.terms.accepted = accepted;
        self.world.judge.see_features(offered, accepted);
        self.forget();
    }

    /// The driver has reset the device.
    pub fn forget(&mut self) {
        self.world.pairs = 1;
        self.world.steering = Steering::default();
        self.world.coalescing = Coalescing::default();
        self.world.offloads = Offloads::default();
        self.world.filter = Filter::default();
        self.world.lent = Lent::default();
        self.world.counts = Counts::default();
        let packed = self.world.terms.has(features::RING_PACKED);
        self.queues.iter_mut().for_each(|queue| queue.reset(packed));
        self.control.reset();
    }

    /// So many bytes of the configuration space, with the address that the driver has set (virtio 1.3, section
    /// 5.1.6.5.2.1). With vhost-user nobody says when the device is reset, but no queue is in use then.
    pub fn configuration(&self, offset: usize, size: usize) -> Vec<u8> {
        let mut bytes = self.world.terms.space.read(offset, size);
        let shown = self.world.terms.has(features::MAC) && self.queues.iter().any(Queue::is_ready);
        if let Some(Address(set)) = self.world.filter.address().filter(|_| shown) {
            for (to, byte) in bytes.iter_mut().zip(set.iter().skip(offset)) {
                *to = *byte;
            }
        }
        bytes
    }

    /// The driver has something for a queue. Whatever is wrong with it is the driver's fault.
    pub fn kick(&mut self, number: usize, tap: &File) {
        if let Some(queue) = self.queues.get_mut(number) {
            if queue.deaf > 0 {
                queue.deaf -= 1;
                return;
            }
        }
        self.world.counts.of(number).notifications += 1;
        let done = self.work(number, tap);
        self.blame(done, || format!("queue {number}"));
    }

    /// The TAP has packets.
    pub fn receive(&mut self, tap: &File) {
        if self.queues.is_empty() || self.traffic.peer != Peer::Tap {
            // What stays in the TAP would be an event again, at once.
            return self.traffic.discard(tap);
        }
        let done = self.traffic.receive(&mut self.queues, tap, &mut self.world);
        self.blame(done, || "a receive queue".into());
    }

    fn blame(&mut self, done: io::Result<()>, who: impl FnOnce() -> String) {
        if let Err(error) = done {
            let what = format!("{}: {error}", who());
            self.world.judge.record(Violation::new("2.7", what));
        }
    }

    /// Notifies the driver of what was put off until now, and returns when it is to be notified next.
    pub fn notify_due(&mut self, now: Instant) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        for queue in &mut self.queues {
            let limits = self.world.coalescing.of(queue.number);
            match queue.notify_if_due(limits, now) {
                Ok(interrupts) => {
                    self.world.counts.of(queue.number).interrupts += u64::from(interrupts);
                }
                Err(error) => {
                    let what = format!("queue {}: {error}", queue.number);
                    self.world.judge.record(Violation::new("2.7", what));
                }
            }
            next = next.into_iter().chain(queue.due(limits)).min();
        }
        next
    }

    /// Does what there is to do in a queue.
    pub fn work(&mut self, number: usize, tap: &File) -> io::Result<()> {
        let control = self.queues.len().saturating_sub(1);
        if number == control {
            // What came before a command is judged by what was true before it.
            for queue in &mut self.queues[..control] {
                self.world.fetch(queue)?;
            }
        }
        let Some((queue, others)) = others::split(&mut self.queues, number) else {
            return Ok(());
        };
        if queue.stopped {
            return Ok(());
        }
        if number == control {
            self.control.work(queue, &mut self.world)?;
            // It may have said that less is to be put off.
            self.notify_due(Instant::now());
            self.world.alarm.notify_one();
            Ok(())
        } else if number % 2 == 1 {
            self.traffic.transmit(queue, others, tap, &mut self.world)
        } else {
            self.traffic.fill(queue, &mut self.world)
        }
    }
}
