// SPDX-License-Identifier: GPL-2.0

//! The receive path.

use crate::{
    stats,
    tx,
    Shared,
    VirtioNet, //
};
use kernel::{
    net::{
        Device,
        Done,
        DropReason,
        Exclusive,
        Header,
        Napi,
        PagePool,
        Polling,
        PoolBuffer,
        RxPoll,
        ETH_HLEN,
        VLAN_HLEN, //
    },
    prelude::*,
    sync::Arc,
    virtio::queue::{
        Callback,
        Interrupted,
        Virtqueue, //
    },
};

/// How long to wait before memory for receive buffers is asked for again, in milliseconds.
const REFILL_RETRY_MS: u32 = 10;

/// The MTU up to which a packet fits into half a page, together with all that makes it an skb.
const SMALL_MTU: u32 = 1500;

/// A receive queue.
///
/// The virtqueue is dropped first: it gives back what is lent while the pool is there.
pub struct Queue {
    queue: Virtqueue<PoolBuffer>,
    pool: PagePool,
}

/// The largest MTU whose packets fit into one receive buffer, in bytes, with a header of `header`
/// bytes.
pub(crate) fn single_buffer_mtu(header: u32) -> u32 {
    PoolBuffer::WHOLE_PAGE - header - ETH_HLEN - VLAN_HLEN
}

/// The interrupt of a receive queue.
pub(crate) struct RecvDone(pub(crate) Arc<Napi>);

impl Callback for RecvDone {
    fn done(&self, queue: &Interrupted<'_>) {
        skb_recv_done(&self.0, queue);
    }
}

/// The device has received packets.
fn skb_recv_done(napi: &Napi, queue: &Interrupted<'_>) {
    napi.schedule_after(|| queue.disable_cb());
}

impl Queue {
    pub(crate) fn new(queue: Virtqueue<PoolBuffer>, pool: PagePool) -> Self {
        Self { queue, pool }
    }

    /// Lends buffers to the device until the ring is full. Tries again later if there is no memory.
    ///
    /// C function: `try_fill_recv()`.
    pub(crate) fn fill(
        &mut self,
        device: &Device<VirtioNet>,
        stats: &stats::Rx,
        owner: &Exclusive<'_>,
    ) {
        let len = if device.mtu() <= SMALL_MTU {
            PoolBuffer::HALF_PAGE
        } else {
            PoolBuffer::WHOLE_PAGE
        };
        while self.queue.num_free() != 0 {
            let Some(buffer) = self.pool.alloc(owner, len) else {
                owner.napi().schedule_later(REFILL_RETRY_MS);
                break;
            };
            // A queue with room that takes no buffer is broken, which no retry mends.
            if self.queue.add_inbuf(buffer).is_err() {
                break;
            }
        }
        if self.queue.kick() {
            stats.kicks.add(1);
        }
    }

    /// Receives up to `budget` packets and returns how many there were, bad ones included.
    #[inline]
    fn receive(
        &mut self,
        shared: &Shared,
        stats: &stats::Rx,
        polling: &Polling<'_>,
        budget: u32,
    ) -> u32 {
        let (mut seen, mut packets, mut bytes) = (0u32, 0u64, 0u64);

        while seen < budget {
            let Some(next) = self.queue.pop() else { break };
            seen = seen.wrapping_add(1);
            let result = match next {
                Ok((buffer, written)) => self.receive_one(shared, polling, buffer, written),
                Err(_overrun) => Err(Bad::Length),
            };
            match result {
                Ok(len) => {
                    packets = packets.wrapping_add(1);
                    bytes = bytes.wrapping_add(len.into());
                }
                Err(Bad::Length) => stats.length_errors.add(1),
                Err(Bad::Frame) => stats.frame_errors.add(1),
                Err(Bad::Memory) => stats.drops.add(1),
            }
        }
        stats.packets.add(packets);
        stats.bytes.add(bytes);
        seen
    }

    /// Receives the packet whose first buffer is `buffer`, and returns its length in bytes.
    ///
    /// C functions: `receive_buf()`, `receive_mergeable()`, `receive_small()`,
    /// `virtnet_receive_done()`.
    #[inline]
    fn receive_one(
        &mut self,
        shared: &Shared,
        polling: &Polling<'_>,
        buffer: PoolBuffer,
        written: u32,
    ) -> Result<u32, Bad> {
        let header_len = shared.framing.len();
        let len = match written.checked_sub(header_len) {
            Some(len) if len >= ETH_HLEN => len,
            _ => return Err(Bad::Length),
        };
        let header = Header::read(&buffer).ok_or(Bad::Length)?;
        let more = if shared.mergeable {
            // No buffer at all is not a packet.
            header
                .num_buffers(&shared.framing)
                .checked_sub(1)
                .ok_or(Bad::Frame)?
        } else {
            0
        };
        // The device has not been asked to leave packets uncut.
        if header.is_gso() {
            self.skip(more);
            return Err(Bad::Frame);
        }

        let mut skb = match buffer.into_skb(polling, header_len, len) {
            Ok(skb) => skb,
            Err(_buffer) => {
                self.skip(more);
                return Err(Bad::Memory);
            }
        };
        for done in 0..more {
            let appended = match self.queue.pop() {
                Some(Ok((buffer, written))) => skb.append(buffer, written).is_ok(),
                // The rest of the packet, if it comes, is not told apart from the start of one.
                None => {
                    skb.drop_with(DropReason::DevHdr);
                    return Err(Bad::Length);
                }
                Some(Err(_overrun)) => false,
            };
            if !appended {
                skb.drop_with(DropReason::DevHdr);
                self.skip(more.wrapping_sub(done).wrapping_sub(1));
                return Err(Bad::Length);
            }
        }

        let len = skb.len();
        skb.deliver(polling, &shared.framing, header)
            .map_err(|skb| {
                skb.drop_with(DropReason::DevHdr);
                Bad::Frame
            })?;
        Ok(len)
    }

    /// Takes back the remaining `count` buffers of a packet that is dropped.
    #[cold]
    fn skip(&mut self, count: u16) {
        for _ in 0..count {
            if self.queue.pop().is_none() {
                break;
            }
        }
    }
}

/// Why a packet is not delivered.
enum Bad {
    /// Its length cannot be.
    Length,
    /// Its header cannot be.
    Frame,
    /// There is no memory for it.
    Memory,
}

/// Polls a receive queue. C functions: `virtnet_poll()`, `virtnet_receive()`.
pub(crate) fn poll<'a>(device: &'a Device<VirtioNet>, mut poll: RxPoll<'a, VirtioNet>) -> Done {
    let shared = device.shared();
    let budget = poll.budget();

    if let Some(mut tx) = poll.try_lock_tx() {
        tx::reclaim_beside(tx.access());
    }

    let rx = poll.access();
    let queue = rx.state;
    queue.queue.disable_cb();
    let received = queue.receive(shared, rx.stats, rx.polling, budget);
    if queue.queue.num_free() > budget.min(queue.queue.size()) / 2 {
        queue.fill(device, rx.stats, rx.polling.owner());
    }
    if received == budget {
        return poll.again();
    }
    let armed = queue.queue.arm(rx.polling.section());
    poll.complete(received, &armed)
}
