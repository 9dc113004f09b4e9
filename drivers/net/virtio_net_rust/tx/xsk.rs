// SPDX-License-Identifier: GPL-2.0

//! Sending for sockets of AF_XDP: through the queue that the stack has too, under the same lock.
//!
//! The poll function of the queue takes packets from the sockets, a budget of them, and is called again if there may be more.
//! A short one is copied behind a header; else the header is in a page of zeroes, so it takes two descriptors. Where
//! sockets may request that the device completes a checksum (`XDP_TX_METADATA`), the header says whether they do, and is elsewhere.
//! What is lent comes back in any order; sockets are told in the order of sending.
//!
//! The stack always has the room for one packet left, so its queue is not stopped because of sockets, unless the ring is hardly
//! longer than a packet; and they wait while it is full.

use super::{
    Queue,
    VirtioNet, //
};
use crate::{
    stats,
    Shared, //
};
use kernel::{
    net::{
        TxAccess,
        XskSent,
        XskTaken,
        XskTx, //
    },
    prelude::*,
    virtio::queue::{
        Rejected,
        Resized,
        Virtqueue, //
    },
    vnet::{
        Framing,
        Packet,
        Sent,
        XskPacket, //
    },
};

/// How many descriptors a chunk takes at most: if each is a packet with a header of its own.
const SEGMENTS: u32 = 2;

/// How many chunks a packet may have. A ring of the least size that can be set has room for them, counted as above.
pub(crate) const MAX_CHUNKS: u32 = super::MIN_SIZE / SEGMENTS;

/// A pool that packets are sent from.
pub(super) struct Xsk {
    tx: XskTx,
    /// Whether packets have come back while something else was done than poll the queue: it has to be polled, as nothing else
    /// may bring it to look for more.
    wake: bool,
}

impl Queue {
    /// Has the queue send from a pool too.
    ///
    /// # Errors
    ///
    /// `EBUSY` if it has one; `EINVAL` if its memory is mapped for another device, or if the ring is too short for the longest
    /// packet.
    pub(crate) fn bind(&mut self, tx: XskTx) -> Result {
        if self.queue.size() < tx.max_chunks().saturating_mul(SEGMENTS) {
            return Err(EINVAL);
        }
        self.queue.lend_from(tx.source())?;
        self.xsk = Some(Xsk { tx, wake: false });
        Ok(())
    }

    /// Has the queue let go of its pool, and of all that it has lent: what the stack has sent counts as dropped if the device has
    /// it still. Does nothing if it has no pool.
    pub(crate) fn unbind(&mut self, stats: &stats::Tx) -> Option<Resized> {
        let mut xsk = self.xsk.take()?;
        let resized = self.queue.let_go();
        xsk.tx.forget_sent();
        if let Some(released) = resized.released {
            stats.drops.add(released.into());
            self.frames = 0;
        }
        Some(resized)
    }

    /// The device has nothing any more.
    pub(super) fn forget_xsk(&mut self) {
        if let Some(xsk) = &mut self.xsk {
            xsk.tx.forget_sent();
        }
    }

    /// Tells the sockets which packets the device is done with.
    #[inline]
    pub(super) fn tell_xsk(&mut self) {
        if let Some(xsk) = &mut self.xsk {
            xsk.tx.tell();
        }
    }

    /// How many chunks can be lent now.
    fn room_for_xsk(&self) -> u32 {
        let free = self.queue.num_free();
        // In a ring that is hardly longer than a packet there is no room to be left.
        let left = if self.queue.size() > 2 * self.reserve {
            self.reserve
        } else {
            0
        };
        free.saturating_sub(left) / SEGMENTS
    }
}

/// The device is done with a packet of a socket: it counts, and the socket is going to be [told](Queue::tell_xsk).
// Apart, so that it costs what frees packets of the stack no more than a branch.
#[inline(never)]
pub(super) fn returned(tx: &mut TxAccess<'_, VirtioNet>, sent: XskSent) {
    tx.stats.packets.add(1);
    tx.stats.bytes.add(sent.len().into());
    if let Some(xsk) = &mut tx.state.xsk {
        xsk.wake = true;
        xsk.tx.sent(sent);
    }
}

/// Has the queue polled if packets of sockets have come back, where it is not being polled.
#[inline]
pub(super) fn wake(tx: &mut TxAccess<'_, VirtioNet>) {
    if let Some(xsk) = &mut tx.state.xsk {
        if core::mem::take(&mut xsk.wake) {
            tx.napi.schedule();
        }
    }
}

/// Sends packets of sockets, up to `budget` chunks or one packet. Returns whether the queue has to be polled again.
///
/// User space need not wake the queue up while that looks for packets by itself: when it is polled again, or when the ring is full, as
/// then something comes back before anything can be sent. What the device has is not enough: it may keep that for long.
///
/// C functions: `virtnet_xsk_xmit()`, `virtnet_xsk_xmit_batch()`.
#[inline(never)]
pub(super) fn send(tx: &mut TxAccess<'_, VirtioNet>, shared: &Shared, budget: u32) -> bool {
    let Some(xsk) = &mut tx.state.xsk else {
        return false;
    };
    // Less than the longest packet has is nothing.
    let least = xsk.tx.max_chunks();
    // This is the poll that they are to bring about.
    xsk.wake = false;
    let budget = budget.max(least);
    let mut taken = take(tx, shared, budget);
    let mut left = budget.saturating_sub(taken.chunks);
    let full = tx.state.room_for_xsk() < least;
    let awake = left < least || full;
    if tx
        .state
        .xsk
        .as_mut()
        .is_some_and(|xsk| xsk.tx.set_awake(awake))
    {
        let more = take(tx, shared, left);
        left = left.saturating_sub(more.chunks);
        taken.packets = taken.packets.wrapping_add(more.packets);
        taken.failed = taken.failed.wrapping_add(more.failed);
    }
    if taken.packets != 0 {
        tx.stats.xdp_tx.add(taken.packets.into());
        tx.stats.xdp_tx_drops.add(taken.failed.into());
        if tx.state.queue.kick() {
            tx.stats.kicks.add(1);
        }
        if tx.state.is_full() {
            tx.queue.stop();
            tx.stats.stop.add(1);
        }
    }
    left < least
}

/// Takes packets of up to `max` chunks from the sockets, and lends them to the device.
fn take(tx: &mut TxAccess<'_, VirtioNet>, shared: &Shared, max: u32) -> XskTaken {
    let max = max.min(tx.state.room_for_xsk());
    let Queue { queue, xsk, .. } = &mut *tx.state;
    let Some(xsk) = xsk else {
        return XskTaken::default();
    };
    if xsk.tx.takes_requests() {
        return take_requests(&mut xsk.tx, queue, &shared.framing, max);
    }
    // A copy, as it does not change: it is not read for each packet.
    let framing = shared.framing;
    xsk.tx.send(max, |desc| {
        let packet = XskPacket::new(desc, &framing);
        queue.add_outbuf_premapped(packet).map_err(not_sent)
    })
}

/// As [`take`], for a pool whose packets may come with requests.
// Apart, so that others are spared a look at each packet.
#[inline(never)]
fn take_requests(
    tx: &mut XskTx,
    queue: &mut Virtqueue<Packet>,
    framing: &Framing,
    max: u32,
) -> XskTaken {
    tx.send(max, |desc| {
        let packet = XskPacket::with_request(desc, framing);
        queue.add_outbuf_premapped(packet).map_err(not_sent)
    })
}

/// The packet that the queue has not taken.
#[inline]
fn not_sent(rejected: Rejected<Sent>) -> XskSent {
    match rejected.buffer {
        Sent::Xsk(sent) => sent,
        // It is the packet that comes back.
        Sent::Skb(_) | Sent::Frame(_) => unreachable!(),
    }
}
