// SPDX-License-Identifier: GPL-2.0

//! The transmit path.
//!
//! A queue is stopped when fewer descriptors are free than the largest packet needs. A stop makes the kick due
//! whatever `xmit_more` says, and the kick is followed by `enable_cb_delayed`; if that says that most has been used
//! already, NAPI is scheduled at once. Reclaiming wakes the queue under the same lock. A packet that cannot be
//! added in the middle of a batch does not skip the kick that is due for those before it.
//!
//! Netpoll, which sends the kernel's messages, polls with a budget of 0, from any context and without owning the
//! NAPI context. Then what has been sent is freed if the lock of the queue is free, and nothing else: no interrupt
//! is turned off or asked for. C turns it off, and never asks for it again.
//!
//! A packet has a descriptor of the ring for each of its segments. C has one for each packet where the device takes tables: the virtio
//! core allocates a table for each packet with more segments than one then, maps and frees it, which takes longer than to go on
//! in the ring. Of the longest packets, 64 KiB in single pages, a ring of 256 descriptors has 14, which is enough for a device
//! to be busy.
//!
//! A packet that the device keeps counts in the byte queue limits for ever. As they let in less when little is
//! sent, it is all that they let in soon, and the queue is stopped for good; so it is with C. When the watchdog
//! finds a queue stopped that has room, they forget what was sent. If that comes back after all, no more is taken
//! off than was sent since.

mod orphan;
pub(crate) mod watch;
mod xdp;
mod xsk;

pub(crate) use self::{
    xdp::xmit_frames,
    xsk::MAX_CHUNKS, //
};

use crate::{
    parameters,
    stats,
    Shared,
    VirtioNet, //
};
use kernel::{
    net::{
        self,
        Arm,
        Device,
        Done,
        DropReason,
        Napi,
        SkBuff,
        TxAccess,
        TxPoll, //
        SKB_SEGMENTS,
    },
    prelude::*,
    virtio::queue::{
        Callback,
        Interrupted,
        Resized,
        Virtqueue, //
    },
    vnet::{
        Armed,
        Packet,
        Sent, //
    },
};

impl net::Watchdog for VirtioNet {
    fn tx_timeout(device: &Device<Self>, tx: TxAccess<'_, Self>) {
        timeout(device, tx);
    }
}

/// The shortest ring, in descriptors: one that the largest packet fits into, and some more, as in C.
pub(crate) const MIN_SIZE: u32 = SKB_SEGMENTS as u32 + 2;

/// A transmit queue.
pub struct Queue {
    queue: Virtqueue<Packet>,
    /// With fewer free descriptors than this the largest packet would not fit, so the stack has to
    /// wait.
    reserve: u32,
    /// Whether packets are let go of as they are sent, see [`orphan`].
    orphan: bool,
    /// How many frames of XDP the device has. Somebody else waits for their memory.
    frames: u32,
    /// The pool of AF_XDP that packets are sent from, if there is one. Behind the virtqueue, which lets go of it first.
    xsk: Option<xsk::Xsk>,
    watch: watch::Watch,
}

impl Queue {
    pub(crate) fn new(queue: Virtqueue<Packet>) -> Self {
        Self {
            reserve: reserve(&queue),
            queue,
            orphan: !parameters::NAPI_TX.get(),
            frames: 0,
            xsk: None,
            watch: watch::Watch::default(),
        }
    }

    /// The size of the ring, in descriptors.
    pub(crate) fn size(&self) -> u32 {
        self.queue.size()
    }

    /// The largest size of the ring, in descriptors.
    pub(crate) fn max_size(&self) -> u32 {
        self.queue.max_size()
    }

    /// Changes the size of the ring, see [`Virtqueue::resize`].
    pub(crate) fn resize(&mut self, size: u32) -> Resized {
        let resized = self.queue.resize(size);
        self.reserve = reserve(&self.queue);
        if resized.released.is_some() {
            self.frames = 0;
            self.forget_xsk();
        }
        resized
    }

    /// Drops the queue. Packets that the device has not taken count as dropped.
    pub(crate) fn close(self, stats: &stats::Tx) {
        stats.drops.add(self.queue.close().into());
    }

    /// Whether packets are kept until NAPI finds that the device has sent them.
    pub(crate) fn has_napi(&self) -> bool {
        !self.orphan
    }

    /// Changes that, while the queue is not polled. The byte queue limits have to forget about the
    /// queue before and after.
    ///
    /// # Errors
    ///
    /// `EBUSY` if the device still has packets: what is known about them depends on it.
    pub(crate) fn set_napi(&mut self, on: bool) -> Result {
        if self.queue.num_free() != self.queue.size() {
            return Err(EBUSY);
        }
        self.orphan = !on;
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.queue.num_free() < self.reserve
    }

    /// Whether nobody waits for what the device has.
    fn is_unattended(&self) -> bool {
        self.orphan && self.frames == 0 && self.xsk.is_none()
    }
}

impl Arm for Queue {
    type Armed<'a> = Option<Armed<'a>>;

    #[inline]
    fn arm(&mut self) -> Option<Armed<'_>> {
        // Without NAPI nobody waits for a packet, unless the queue is full.
        (!self.is_unattended() || self.is_full()).then(|| self.queue.arm().into())
    }
}

/// The segments of a packet and its header. A ring that is smaller can be filled up: a packet that
/// does not fit is dropped then, but the queue does not stop for good.
fn reserve(queue: &Virtqueue<Packet>) -> u32 {
    (SKB_SEGMENTS as u32 + 1).min(queue.size())
}

/// The interrupt of a transmit queue: the device has taken packets. C function: `skb_xmit_done()`.
pub(crate) struct XmitDone;

impl Callback for XmitDone {
    type Target = Napi;

    fn done(napi: &Napi, queue: &Interrupted<'_>) {
        queue.disable_cb();
        napi.schedule();
    }
}

/// Sends a packet, or drops and counts it. The device is told unless another packet follows.
///
/// C functions: `start_xmit()`, `xmit_skb()`.
#[inline]
pub(crate) fn start_xmit(
    shared: &Shared,
    tx: TxAccess<'_, VirtioNet>,
    mut skb: SkBuff,
    more: bool,
) {
    // Taken apart first: as a whole it would lie on the stack, for the sake of a call that is made with `napi_tx=0` only.
    let TxAccess {
        state,
        stats,
        napi,
        queue,
    } = tx;
    if state.orphan {
        let tx = TxAccess {
            state,
            stats,
            napi,
            queue,
        };
        return orphan::start_xmit(shared, tx, skb, more);
    }
    let mut stack = queue;

    state.queue.disable_cb();
    skb.tx_timestamp();

    let len = skb.len();
    let sent = match add(&mut state.queue, shared, skb) {
        Ok(()) => len,
        Err(()) => {
            stats.errors.add(1);
            0
        }
    };
    if state.is_full() {
        stack.stop();
        stats.stop.add(1);
    }
    // Also after an error: packets that were added before may wait for it.
    if stack.sent(sent, more) {
        kick(state, stats, napi);
    }
}

/// Kicks the device, and asks for an interrupt when it has sent most of the packets.
#[inline(always)]
fn kick(state: &mut Queue, stats: &stats::Tx, napi: &Napi) {
    if state.queue.kick() {
        stats.kicks.add(1);
    }
    if !state.queue.enable_cb_delayed() {
        napi.schedule_after(|| state.queue.disable_cb());
    }
}

/// Tells the device about packets that it has not been told of, as more were to follow.
pub(crate) fn flush(tx: TxAccess<'_, VirtioNet>) {
    if !tx.state.orphan {
        kick(tx.state, tx.stats, tx.napi);
    } else if tx.state.queue.kick() {
        tx.stats.kicks.add(1);
    }
}

/// Lends a packet to the device. One that cannot be lent is dropped.
#[inline(always)]
fn add(queue: &mut Virtqueue<Packet>, shared: &Shared, skb: SkBuff) -> Result<(), ()> {
    let packet =
        Packet::of_skb(skb, &shared.framing).map_err(|skb| skb.drop_with(DropReason::DevHdr))?;
    queue.add_outbuf(packet).map_err(|rejected| {
        let reason = if rejected.error == ENOMEM {
            DropReason::NoMem
        } else {
            DropReason::FullRing
        };
        rejected.buffer.drop_with(reason);
    })
}

/// Frees what the device has taken, and wakes the stack if there is room again.
///
/// C functions: `free_old_xmit()`, `virtnet_tx_wake_queue()`.
#[inline]
pub(crate) fn reclaim(tx: &mut TxAccess<'_, VirtioNet>) {
    let (mut packets, mut bytes) = (0u32, 0u32);

    while let Some(sent) = tx.state.queue.reclaim() {
        match sent {
            Sent::Skb(skb) => {
                packets = packets.wrapping_add(skb.segments());
                bytes = bytes.wrapping_add(skb.len());
                tx.queue.consume(skb);
            }
            Sent::Frame(frame) => xdp::returned(tx, frame),
            Sent::Xsk(sent) => xsk::returned(tx, sent),
        }
    }
    tx.state.tell_xsk();
    if packets != 0 {
        // Byte queue limits need to know soon that a packet has been sent.
        if !tx.state.orphan {
            tx.queue.completed(packets, bytes);
        }
        tx.stats.packets.add(packets.into());
        tx.stats.bytes.add(bytes.into());
    }
    if !tx.state.is_full() && tx.queue.wake() {
        tx.stats.wake.add(1);
    }
}

/// Polls a transmit queue. C function: `virtnet_poll_tx()`.
pub(crate) fn poll<'poll>(shared: &Shared, mut poll: TxPoll<'poll, VirtioNet>) -> Done<'poll> {
    let budget = poll.budget();
    let mut tx = poll.access();

    tx.state.queue.disable_cb();
    reclaim(&mut tx);
    if tx.state.xsk.is_some() && xsk::send(&mut tx, shared, budget) {
        return poll.again();
    }
    poll.complete()
}

/// Frees what the device has taken, for netpoll, which does not own the NAPI context.
pub(crate) fn reclaim_for_netpoll(mut tx: TxAccess<'_, VirtioNet>) {
    reclaim(&mut tx);
    xsk::wake(&mut tx);
}

/// Does what [`poll`] does while another queue is polled, to save an interrupt. C function:
/// `virtnet_poll_cleantx()`.
#[inline]
pub(crate) fn reclaim_beside(mut tx: TxAccess<'_, VirtioNet>) {
    // Nobody waits for it, and there must be no interrupt.
    if tx.state.is_unattended() {
        return;
    }
    loop {
        tx.state.queue.disable_cb();
        reclaim(&mut tx);
        if tx.state.queue.enable_cb_delayed() {
            break;
        }
    }
    xsk::wake(&mut tx);
}

/// The stack's watchdog has found the queue stopped for too long.
///
/// If an interrupt was lost, polling gets the queue going again. If the stack waits for packets that
/// the device keeps, which leave room for others, it waits no longer: where it lets in few bytes, a single
/// packet can stop the queue for good. C function: `virtnet_tx_timeout()`.
pub(crate) fn timeout(device: &Device<VirtioNet>, mut tx: TxAccess<'_, VirtioNet>) {
    tx.stats.tx_timeouts.add(1);
    dev_err!(
        device.shared().device,
        "transmit queue {} of {} is stuck, polling it\n",
        tx.napi.index(),
        device.name()
    );
    reclaim(&mut tx);
    xsk::wake(&mut tx);
    if !tx.state.is_full() {
        tx.queue.forget_sent();
    }
    tx.napi.schedule();
}
