// SPDX-License-Identifier: GPL-2.0

//! Receive buffers of as many pages as a packet can need, for a device that does not merge buffers.
//!
//! The first part of a chain is a buffer that can become an skb where it is. A packet takes only the parts that it
//! fills. The rest stays in the chain, which is filled up before it is lent again. The list of its pages is kept in
//! memory that is never lent.

use super::{
    packet_len,
    read_header,
    xdp,
    Bad,
    Lent,
    Mode,
    Ring, //
};
use crate::{
    stats,
    Shared, //
};
use kernel::{
    net::{
        Chain,
        Exclusive,
        PagePool,
        Polling,
        Program,
        Verdict,
        XdpBuff,
        XdpRoom, //
    },
    prelude::*,
    virtio::queue::{
        Resized,
        Virtqueue, //
    },
    vnet::{
        Framing,
        Header, //
    },
};

/// How many buffers are lent where no packet is expected.
const FEW: u32 = 2;

/// A ring of such buffers.
///
/// The virtqueue and the spare buffers are dropped before the pool that their pages belong to.
pub(super) struct Chained {
    pub(super) queue: Virtqueue<Chain>,
    /// Buffers that are not lent, with the pages that the last packet left.
    spare: KVec<Chain>,
    pool: PagePool,
    /// The longest packet, with the virtio header, in bytes.
    longest: u32,
    /// The length of the header if it takes a segment of its own, else 0.
    header_apart: u32,
    /// How many descriptors a buffer takes, at most.
    each: u32,
}

impl Chained {
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new(
        queue: Virtqueue<Chain>,
        pool: PagePool,
        mode: &Mode,
        framing: &Framing,
        each: u32,
    ) -> Result<Self> {
        Ok(Self {
            spare: KVec::with_capacity(queue.size() as usize, GFP_KERNEL)?,
            queue,
            pool,
            longest: mode.longest,
            header_apart: if framing.any_layout() {
                0
            } else {
                framing.header_len()
            },
            each,
        })
    }
}

impl Chained {
    /// See [`exchange_pool`](super::Queue::exchange_pool).
    pub(super) fn exchange_pool(&mut self, pool: PagePool) -> Result {
        self.queue.exchange_source(pool.source())?;
        // They have pages of the other one.
        self.spare.clear();
        self.pool = pool;
        Ok(())
    }
}

impl Ring for Chained {
    type Buffer = Chain;

    #[inline]
    fn queue(&mut self) -> &mut Virtqueue<Chain> {
        &mut self.queue
    }

    /// Any buffer holds the longest packet.
    #[inline]
    fn slack(&self) -> u32 {
        u32::MAX
    }

    #[inline]
    fn idle(&self) -> u32 {
        self.queue
            .size()
            .saturating_sub(FEW.wrapping_mul(self.each))
    }

    fn resize(&mut self, size: u32) -> Resized {
        // There must be room for all buffers of the ring.
        let more = (size as usize).saturating_sub(self.spare.len());
        if let Err(error) = self.spare.reserve(more, GFP_KERNEL) {
            return Resized {
                released: None,
                result: Err(error.into()),
                broken: false,
            };
        }
        self.queue.resize(size)
    }

    fn buffer_len(&self, _shared: &Shared, _stats: &stats::Rx) -> u32 {
        self.longest
    }

    fn copied_len(&self) -> Option<u32> {
        Some(self.longest)
    }

    /// C function: `add_recvbuf_big()`.
    fn lend(&mut self, len: u32, owner: &Exclusive<'_>) -> Lent {
        let mut chain = match self.spare.pop() {
            Some(chain) => chain,
            None => match Chain::new(len, self.header_apart, owner) {
                Ok(chain) => chain,
                Err(_) => return Lent::NoMemory,
            },
        };
        if !chain.fill(&mut self.pool, owner) {
            keep(&mut self.spare, chain);
            return Lent::NoMemory;
        }
        match self.queue.add_insegs(chain) {
            Ok(()) => Lent::Yes,
            Err(rejected) => {
                keep(&mut self.spare, rejected.buffer);
                Lent::NoRoom
            }
        }
    }

    fn lend_for_program(&mut self, owner: &Exclusive<'_>) -> Lent {
        self.lend(self.longest, owner)
    }

    /// C function: `receive_big()`.
    fn receive(
        &mut self,
        shared: &Shared,
        polling: &Polling<'_>,
        mut chain: Chain,
        written: u32,
    ) -> Result<u32, Bad> {
        let header_len = shared.framing.header_len();
        let result = match start(&chain, written, header_len) {
            Ok((_, header)) if header.has_unnegotiated_gso(&shared.framing) => Err(Bad::Frame),
            Ok((len, header)) => chain
                .take(polling, header_len, len)
                .map(|skb| (skb, header))
                .ok_or(Bad::Memory),
            Err(bad) => Err(bad),
        };
        keep(&mut self.spare, chain);
        let (skb, header) = result?;
        super::deliver(skb, shared, polling, header)
    }

    /// The packet is copied: a program wants it in one piece, with more room in front than there is.
    fn receive_for_program<'p>(
        &'p mut self,
        room: &'p mut XdpRoom,
        shared: &Shared,
        polling: &'p Polling<'_>,
        program: &Program<'_>,
        chain: Chain,
        written: u32,
    ) -> Result<(Verdict<XdpBuff<'p>>, u32, Header), Bad> {
        let header_len = shared.framing.header_len();
        let copied = start(&chain, written, header_len).and_then(|(len, header)| {
            if !header.is_plain() {
                return Err(xdp::not_plain(&header, shared));
            }
            let mut packet = XdpBuff::empty(room, polling, &mut self.pool).ok_or(Bad::Memory)?;
            if !chain.copy(&mut packet, header_len, len) {
                return Err(Bad::Program);
            }
            Ok((packet, len, header))
        });
        keep(&mut self.spare, chain);
        let (mut packet, len, header) = copied?;
        header.tell_hash(&mut packet, polling, &shared.framing);
        Ok((packet.run(program, polling), len, header))
    }
}

/// The length and the header of the packet in `chain`, of `written` bytes with the header.
#[inline]
fn start(chain: &Chain, written: u32, header_len: u32) -> Result<(u32, Header), Bad> {
    let len = packet_len(written, header_len)?;
    let first = chain.first();
    let header = read_header(first.and_then(|first| first.copy_start(written)))?;
    Ok((len, header))
}

/// Keeps a buffer for the next time that one is to be lent.
fn keep(spare: &mut KVec<Chain>, chain: Chain) {
    // There is room for all buffers of the ring. One that is too much is freed.
    let _ = spare.push_within_capacity(chain);
}
