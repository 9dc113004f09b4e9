// SPDX-License-Identifier: GPL-2.0

//! Receiving into a pool of AF_XDP: see [`xsk`](crate::xsk).
//!
//! The virtio header goes to the end of the headroom that each chunk has. A program sees the packet where it is, and sends it
//! to the socket with its chunk. What goes to the stack is copied; as the device may merge packets or leave checksums open where
//! there is no program, the header counts as for any packet. C forgets it.
//!
//! A process that polls busily has the receive queue polled, and counts on it that this sends too: the core does not wake up the
//! transmit queue then, which has a NAPI context of its own. So this does.
//!
//! A packet that the device has spread over several chunks goes to a program and a socket that both take such, else it is dropped.

mod chunks;

use self::chunks::{
    copy,
    copy_part,
    goes_on,
    join, //
};
use super::{
    deliver,
    single::Rest,
    Bad,
    Single,
    Tally,
    VirtioNet, //
};
use crate::{
    stats,
    Shared, //
};
use kernel::{
    net::{
        Device,
        DropReason,
        Exclusive,
        PagePool,
        Polling,
        Program,
        RxSkb,
        Verdict,
        XskBuff,
        XskChunk,
        XskPool,
        ETH_HLEN, //
    },
    virtio::queue::{
        Overrun,
        Resized,
        Virtqueue, //
    },
    vnet::Header,
};

/// With fewer chunks than this in the ring more are wanted, even if a packet is going to bring the queue to look for them.
const FEW: u32 = 32;

/// A ring of chunks.
///
/// The virtqueue is dropped first: it gives back what is lent while the pool is open.
pub(super) struct Xsk {
    pub(super) queue: Virtqueue<XskChunk>,
    pool: XskPool,
    /// What the ring had before, and gets again: buffers for what is copied come from there.
    rest: Rest,
}

impl Xsk {
    /// The ring of `single` with chunks of `pool`.
    ///
    /// # Errors
    ///
    /// The ring comes back, with what [`Virtqueue::retyped`] says: it may be broken.
    pub(super) fn new(single: Single, pool: XskPool) -> Result<Self, (Single, Resized)> {
        let (queue, rest) = single.into_parts();
        match queue.retyped(pool.source()) {
            Ok(queue) => Ok(Self { queue, pool, rest }),
            Err((queue, resized)) => Err((Single::from_parts(queue, rest), resized)),
        }
    }

    /// The ring without chunks. It may be broken, as the result says.
    ///
    /// # Errors
    ///
    /// The ring as it was, which cannot be: the pool that it had before suits the queue.
    pub(super) fn into_single(self) -> Result<(Single, Resized), Self> {
        let Self { queue, pool, rest } = self;
        match queue.retyped_anyway(rest.pool.source()) {
            Ok((queue, resized)) => Ok((Single::from_parts(queue, rest), resized)),
            Err(queue) => Err(Self { queue, pool, rest }),
        }
    }

    /// Changes the size of the ring, see [`Virtqueue::resize`].
    pub(super) fn resize(&mut self, size: u32) -> Resized {
        let resized = self.queue.resize(size);
        if resized.released.is_some() {
            self.pool.recover();
        }
        resized
    }

    /// Resets the queue, see [`Virtqueue::reset`].
    pub(super) fn reset(&mut self) -> Resized {
        let reset = self.queue.reset();
        if reset.released.is_some() {
            self.pool.recover();
        }
        reset
    }

    /// Has what is copied lie in buffers of `pool`.
    pub(super) fn exchange_pool(&mut self, pool: PagePool) {
        self.rest.pool = pool;
    }

    /// The least size of a ring that the longest packet fits into, in descriptors.
    pub(super) fn min_size(&self) -> u32 {
        self.rest.min_size()
    }

    /// Lends chunks to the device, as many as there are and fit. Returns whether to look for more at once. The device has to be
    /// told.
    ///
    /// C function: `virtnet_add_recvbuf_xsk()`.
    pub(super) fn fill(&mut self, owner: &Exclusive<'_>) -> bool {
        loop {
            let chunks = self.pool.take(owner, self.queue.num_free());
            if chunks.len() == 0 {
                break;
            }
            if let Err(rejected) = self.queue.add_premapped(chunks) {
                self.pool.free(owner, rejected.buffer);
                // The queue is broken.
                return false;
            }
        }
        let lent = self.queue.size().wrapping_sub(self.queue.num_free());
        let enough = lent >= FEW.min(self.queue.size());
        self.pool.set_enough(owner, enough)
    }

    /// Receives the packet whose first chunk is `chunk`, and tells `tally` what has become of it.
    ///
    /// What most packets are is dealt with here: in one chunk, and such as a program may see.
    ///
    /// C functions: `virtnet_receive_xsk_merge()`, `virtnet_receive_xsk_small()`.
    #[inline(always)]
    fn receive(&mut self, poll: &Poll<'_>, tally: &mut Tally, chunk: XskChunk, written: u32) {
        let Some(program) = &poll.program else {
            return self.receive_any(poll, tally, chunk, written);
        };
        let Some((packet, header)) = start(&mut self.pool, poll, chunk, written) else {
            return Bad::Length.count(poll.stats);
        };
        if !header.is_plain() || !is_whole(&header, poll, &self.rest) {
            let chunk = packet.into_chunk();
            return self.receive_any(poll, tally, chunk, written);
        }
        let len = packet.len();
        decide(packet, &header, len, poll, program, tally, &mut self.rest);
    }

    /// As [`receive`](Self::receive), of any packet. Apart, as what it needs would cost the others, too.
    #[inline(never)]
    fn receive_any(&mut self, poll: &Poll<'_>, tally: &mut Tally, chunk: XskChunk, written: u32) {
        if let Err(bad) = self.try_receive(poll, tally, chunk, written) {
            bad.count(poll.stats);
        }
    }

    fn try_receive(
        &mut self,
        poll: &Poll<'_>,
        tally: &mut Tally,
        chunk: XskChunk,
        written: u32,
    ) -> Result<(), Bad> {
        let polling = poll.polling;
        let started = start(&mut self.pool, poll, chunk, written);
        let (mut packet, header) = started.ok_or(Bad::Length)?;
        let more = if self.rest.mergeable {
            // No buffer at all is not a packet.
            let buffers = header.num_buffers(&poll.shared().framing);
            buffers.checked_sub(1).ok_or(Bad::Frame)?
        } else {
            0
        };
        let bad = match &poll.program {
            _ if header.has_unnegotiated_gso(&poll.shared().framing) => Some(Bad::Frame),
            Some(_) if !header.is_plain() => Some(Bad::Program),
            Some(program) if more != 0 && !goes_on(&packet, program, more) => Some(Bad::Program),
            _ => None,
        };
        if let Some(bad) = bad {
            drop(packet);
            self.skip(polling, more);
            return Err(bad);
        }
        let Some(program) = &poll.program else {
            let skb = packet.to_skb(polling);
            drop(packet);
            let skb = self.gather(polling, skb, more)?;
            let len = deliver(skb, poll.shared(), polling, header)?;
            tally.add(poll.device, polling, Verdict::Pass(()), len);
            return Ok(());
        };
        let mut len = packet.len();
        if more != 0 {
            match join(&mut self.queue, &mut packet, polling, more) {
                Ok(rest) => len = len.saturating_add(rest),
                Err(left) => {
                    drop(packet);
                    self.skip(polling, left);
                    return Err(Bad::Length);
                }
            }
        }
        decide(packet, &header, len, poll, program, tally, &mut self.rest);
        Ok(())
    }

    /// Copies the `more` chunks that follow behind `skb`.
    fn gather(
        &mut self,
        polling: &Polling<'_>,
        skb: Option<RxSkb>,
        more: u16,
    ) -> Result<RxSkb, Bad> {
        let Some(mut skb) = skb else {
            self.skip(polling, more);
            return Err(Bad::Memory);
        };
        for done in 0..more {
            let bad = match self.queue.pop() {
                // The rest of the packet, if it comes, is not told apart from the start of one.
                None => {
                    skb.drop_with(DropReason::DevHdr);
                    return Err(Bad::Length);
                }
                Some(Err(Overrun { buffer, .. })) => {
                    self.pool.free(polling.owner(), buffer);
                    Bad::Length
                }
                Some(Ok((chunk, written))) => {
                    match self.append(polling, &mut skb, chunk, written) {
                        Ok(()) => continue,
                        Err(bad) => bad,
                    }
                }
            };
            skb.drop_with(DropReason::DevHdr);
            self.skip(polling, more.wrapping_sub(done).wrapping_sub(1));
            return Err(bad);
        }
        Ok(skb)
    }

    /// Copies `chunk`, which has no header, behind `skb`.
    fn append(
        &mut self,
        polling: &Polling<'_>,
        skb: &mut RxSkb,
        chunk: XskChunk,
        written: u32,
    ) -> Result<(), Bad> {
        let part = self.pool.receive(polling, chunk, 0, 0, written);
        copy_part(&part.ok_or(Bad::Length)?, &mut self.rest, polling, skb)
    }

    /// Takes back the remaining `count` chunks of a packet that is dropped.
    #[cold]
    fn skip(&mut self, polling: &Polling<'_>, count: u16) {
        for _ in 0..count {
            let chunk = match self.queue.pop() {
                None => break,
                Some(Ok((chunk, _))) | Some(Err(Overrun { buffer: chunk, .. })) => chunk,
            };
            self.pool.free(polling.owner(), chunk);
        }
    }
}

/// What a poll of a queue goes by.
struct Poll<'poll> {
    device: &'poll Device<VirtioNet>,
    stats: &'poll stats::Rx,
    polling: &'poll Polling<'poll>,
    program: Option<Program<'poll>>,
}

impl Poll<'_> {
    #[inline(always)]
    fn shared(&self) -> &Shared {
        self.device.shared()
    }
}

/// The packet that starts in `chunk`, and its header. None if the length is none that can be.
#[inline(always)]
fn start<'poll>(
    pool: &'poll mut XskPool,
    poll: &Poll<'poll>,
    chunk: XskChunk,
    written: u32,
) -> Option<(XskBuff<'poll>, Header)> {
    let header_len = poll.shared().framing.header_len();
    let packet = pool.receive(poll.polling, chunk, header_len, ETH_HLEN, written)?;
    let header = Header::from_bytes(packet.copy_start()?);
    Some((packet, header))
}

/// Whether a packet has no further chunks.
#[inline(always)]
fn is_whole(header: &Header, poll: &Poll<'_>, rest: &Rest) -> bool {
    !rest.mergeable || header.is_whole(&poll.shared().framing)
}

/// Has `program` decide about a packet of `len` bytes.
#[inline(always)]
fn decide<'poll>(
    mut packet: XskBuff<'poll>,
    header: &Header,
    len: u32,
    poll: &Poll<'poll>,
    program: &Program<'_>,
    tally: &mut Tally,
    rest: &mut Rest,
) {
    header.tell_hash(&mut packet, poll.polling, &poll.shared().framing);
    let verdict = packet.run(program, poll.polling);
    if let Some(packet) = tally.add(poll.device, poll.polling, verdict, len) {
        pass(packet, header, poll, rest);
    }
}

/// Passes a packet to the stack, to which it is copied.
#[inline(never)]
fn pass(packet: XskBuff<'_>, header: &Header, poll: &Poll<'_>, rest: &mut Rest) {
    let passed = copy(packet, rest, poll.polling)
        .and_then(|skb| deliver(skb, poll.shared(), poll.polling, *header));
    if let Err(bad) = passed {
        bad.count(poll.stats);
    }
}

/// Receives up to `budget` packets, and passes chunks to the device. Returns how many there were, bad ones included, or `budget`
/// if the queue has to be polled again.
///
/// C functions: `virtnet_receive_xsk_bufs()`, `virtnet_poll()`.
#[inline(never)]
pub(super) fn poll(
    ring: &mut Xsk,
    device: &Device<VirtioNet>,
    stats: &stats::Rx,
    polling: &Polling<'_>,
    program: Option<Program<'_>>,
    budget: u32,
) -> u32 {
    let (mut seen, mut tally) = (0u32, Tally::new());
    let poll = Poll {
        device,
        stats,
        polling,
        program,
    };

    ring.queue.disable_cb();
    while seen < budget {
        let Some(next) = ring.queue.pop() else {
            break;
        };
        seen = seen.wrapping_add(1);
        match next {
            Ok((chunk, written)) => ring.receive(&poll, &mut tally, chunk, written),
            Err(Overrun { buffer, .. }) => {
                ring.pool.free(polling.owner(), buffer);
                Bad::Length.count(stats);
            }
        }
    }
    tally.finish(device, polling, stats, poll.program.is_some());
    let free = ring.queue.num_free();
    let again = ring.fill(polling.owner());
    // A process may poll all the time, and for nothing.
    if ring.queue.num_free() != free && ring.queue.kick() {
        stats.kicks.add(1);
    }
    if polling.is_busy() {
        device.schedule_tx(polling);
    }
    if again {
        budget
    } else {
        seen
    }
}
