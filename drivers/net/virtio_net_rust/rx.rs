// SPDX-License-Identifier: GPL-2.0

//! The receive path.
//!
//! When memory for buffers runs out, a timer schedules NAPI again 10 ms later: no spinning, and no stall if the
//! ring is empty.
//!
//! Also queues that are not used have buffers, a few, which hold the longest packet, and they are filled when one
//! has come: a device may have many queues, and the guest one CPU and little memory. C fills all.
//!
//! All rings are filled before the device is notified of any. Where QEMU chooses the receive queue itself
//! (`rss=on,hash=on`), it stops reading from a queue of the TAP when a packet from there is for a ring without
//! buffers, and goes on when it is notified of the ring that has the same number as the queue. C fills and notifies
//! them one by one. So packets that wait in the TAP when an interface is set up leave queues of it stuck: of ten
//! such NICs with four pairs in a guest of two CPUs, seven had no answer to their first echo request, and six to
//! none of the first four. The device is notified whether it asks for it or not: QEMU wants no notification of a
//! ring any more as soon as a packet has come to it, through whatever queue of the TAP, and still reads the one of
//! the same number only then. In bulk traffic a ring may still be empty for a moment, which no driver can help; any
//! command about queues, such as `ethtool -X`, has QEMU read again.

mod average;
mod chained;
mod mode;
mod single;
mod tally;
pub(crate) mod watch;
mod xdp;
mod xsk;

pub(crate) use self::mode::Mode;

use self::{
    chained::Chained,
    mode::Kind,
    single::Single,
    tally::Tally,
    xsk::Xsk, //
};
use crate::{
    stats,
    tx,
    Shared,
    VirtioNet, //
};
use kernel::{
    device::Bound,
    dma::DmaDevice,
    net::{
        not_supported,
        Allocated,
        Arm,
        Chain,
        Device,
        Done,
        DropReason,
        Exclusive,
        Napi,
        PagePool,
        Polling,
        PoolBuffer,
        PoolSource,
        Program,
        RxAccess,
        RxPoll,
        RxSkb,
        Verdict,
        XdpBuff,
        XdpRoom,
        XskPool,
        ETH_HLEN, //
    },
    prelude::*,
    virtio::{
        self,
        queue::{
            Buffer,
            Callback,
            Found,
            Incoming,
            Interrupted,
            Overrun,
            Resized,
            Virtqueue, //
        },
    },
    vnet::{
        self,
        Armed,
        Framing,
        Header, //
    },
};

/// How long to wait before memory for receive buffers is asked for again, in milliseconds.
const REFILL_RETRY_MS: u32 = 10;

/// A receive queue.
pub struct Queue(Kinds);

enum Kinds {
    Single(Single),
    Chained(Chained),
    Xsk(Xsk),
}

/// The interrupt of a receive queue: the device has received packets. C function: `skb_recv_done()`.
pub(crate) struct RecvDone;

impl Callback for RecvDone {
    type Target = Napi;

    fn done(napi: &Napi, queue: &Interrupted<'_>) {
        napi.schedule_after(|| queue.disable_cb());
    }
}

/// What became of a buffer that was to be lent.
enum Lent {
    /// The device has it.
    Yes,
    /// There is none, for want of memory.
    NoMemory,
    /// The queue did not take it: its ring is full, or it is broken, which no retry mends.
    NoRoom,
}

/// Why a packet is not delivered.
enum Bad {
    /// Its length cannot be.
    Length,
    /// Its header cannot be.
    Frame,
    /// There is no memory for it.
    Memory,
    /// It is not for an XDP program, but there is one.
    Program,
}

/// A ring of receive buffers of one kind.
trait Ring {
    type Buffer: Incoming;

    fn queue(&mut self) -> &mut Virtqueue<Self::Buffer>;

    /// The number of descriptors that may be free while the longest packet fits into the buffers
    /// that are lent. With more of them free the device might wait for ever.
    fn slack(&self) -> u32;

    /// The number of descriptors that stay free until a packet comes, if none is expected. The longest packet fits
    /// into the buffers that are lent.
    fn idle(&self) -> u32;

    /// Changes the size of the ring, see [`Virtqueue::resize`].
    fn resize(&mut self, size: u32) -> Resized;

    /// The length of the buffers to be lent now, in bytes.
    fn buffer_len(&self, shared: &Shared, stats: &stats::Rx) -> u32;

    /// The length of the buffers to be lent while there is an XDP program, if packets are copied for it, in bytes.
    fn copied_len(&self) -> Option<u32>;

    /// Lends a buffer of `len` bytes to the device.
    fn lend(&mut self, len: u32, owner: &Exclusive<'_>) -> Lent;

    /// Lends a buffer for a packet that an XDP program is going to see where it is.
    fn lend_for_program(&mut self, owner: &Exclusive<'_>) -> Lent;

    /// Receives the packet whose first buffer is `buffer`, and returns its length in bytes.
    fn receive(
        &mut self,
        shared: &Shared,
        polling: &Polling<'_>,
        buffer: Self::Buffer,
        written: u32,
    ) -> Result<u32, Bad>;

    /// As [`receive`](Self::receive), but for an XDP program: what is to become of the packet, with its header.
    fn receive_for_program<'p>(
        &'p mut self,
        room: &'p mut XdpRoom,
        shared: &Shared,
        polling: &'p Polling<'_>,
        program: &Program<'_>,
        buffer: Self::Buffer,
        written: u32,
    ) -> Result<(Verdict<XdpBuff<'p>>, u32, Header), Bad>;
}

impl Queue {
    /// Takes the next of the queues that were `found`, which is the receive queue `index` of
    /// `netdev`.
    ///
    /// # Errors
    ///
    /// - `EINVAL`, after a line in the log, if the ring is too short for a packet.
    /// - `ENOMEM`, or what [`Found::take`] says.
    pub(crate) fn new(
        netdev: &Allocated<VirtioNet>,
        index: u16,
        found: &mut Found,
        mode: &Mode,
        device: &virtio::Device<Bound>,
        framing: &Framing,
    ) -> Result<Self> {
        if mode.kind() != Kind::Chained {
            let mut queue = found.take()?;
            let pool = pool(netdev, index, &mut queue)?;
            return Ok(Self(Kinds::Single(Single::new(queue, pool, mode))));
        }
        let mut queue: Virtqueue<Chain> = found.take()?;
        let each = if queue.has_indirect() {
            1
        } else {
            Chain::SEGMENTS as u32
        };
        if queue.size() < each {
            dev_err!(
                device,
                "a receive queue of {} descriptors cannot hold one packet: give it {each} or more\n",
                queue.size()
            );
            return Err(EINVAL);
        }
        let pool = pool(netdev, index, &mut queue)?;
        let chained = Chained::new(queue, pool, mode, framing, each)?;
        Ok(Self(Kinds::Chained(chained)))
    }

    /// Lends buffers to the device until the ring is full, or only a few if the queue is not used: there may be many
    /// such, and little memory. Tries again later if there is none. The device has to be told.
    pub(crate) fn fill(
        &mut self,
        device: &Device<VirtioNet>,
        stats: &stats::Rx,
        owner: &Exclusive<'_>,
    ) {
        match &mut self.0 {
            Kinds::Single(ring) => fill_first(ring, device, stats, owner),
            Kinds::Chained(ring) => fill_first(ring, device, stats, owner),
            // Whether to look for more is asked by the first poll.
            Kinds::Xsk(ring) => {
                ring.fill(owner);
            }
        }
    }

    /// Tells the device that there are buffers, also if it asks not to be told.
    ///
    /// Of the queues of a TAP, QEMU reads each again when the receive queue of the same number is notified, and no
    /// sooner. Once a packet of one of them has come to the ring of another, it asks for no notification of that one.
    pub(crate) fn notify(&mut self, stats: &stats::Rx) {
        let kicked = match &mut self.0 {
            Kinds::Single(ring) => ring.queue.notify(),
            Kinds::Chained(ring) => ring.queue.notify(),
            Kinds::Xsk(ring) => ring.queue.notify(),
        };
        if kicked {
            stats.kicks.add(1);
        }
    }

    /// The queue with chunks of AF_XDP in its ring instead of its own buffers, from the pool that `open` gives for the device that
    /// its memory has to be mapped for. What was in the ring is lost.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP` if packets are received into chains; what `open` says, and what the reset of the queue has failed at. The
    /// queue is as it was, or broken.
    pub(crate) fn bind<R>(
        self,
        open: impl FnOnce(DmaDevice<'_>) -> Result<(XskPool, R)>,
    ) -> (Self, Result<R>) {
        let Kinds::Single(ring) = self.0 else {
            return (self, Err(not_supported()));
        };
        match open(ring.queue.mapping_device()) {
            Err(error) => (Self(Kinds::Single(ring)), Err(error)),
            Ok((pool, result)) => match Xsk::new(ring, pool) {
                Ok(ring) => (Self(Kinds::Xsk(ring)), Ok(result)),
                Err((ring, resized)) => (
                    Self(Kinds::Single(ring)),
                    Err(resized.result.err().unwrap_or(EIO)),
                ),
            },
        }
    }

    /// The queue with buffers of its own again. Returns whether it is broken, if it had others.
    pub(crate) fn unbind(self) -> (Self, bool) {
        match self.0 {
            Kinds::Xsk(ring) => match ring.into_single() {
                Ok((ring, resized)) => (Self(Kinds::Single(ring)), resized.broken),
                Err(ring) => (Self(Kinds::Xsk(ring)), true),
            },
            kind => (Self(kind), false),
        }
    }

    /// Resets the queue: what is in the ring is lost. It takes its buffers from where it did, or from
    /// [another pool](Self::exchange_pool).
    pub(crate) fn reset(&mut self) -> Resized {
        match &mut self.0 {
            Kinds::Single(ring) => ring.queue.reset(),
            Kinds::Chained(ring) => ring.queue.reset(),
            Kinds::Xsk(ring) => ring.reset(),
        }
    }

    /// Takes buffers from `pool` from now on, while the ring is empty. With chunks of AF_XDP in the ring it is for what is copied.
    ///
    /// # Errors
    ///
    /// `EBUSY` if there is something in the ring; `EINVAL` if its memory is not mapped as the queue needs it. Then all is as it was.
    pub(crate) fn exchange_pool(&mut self, pool: PagePool) -> Result {
        match &mut self.0 {
            Kinds::Single(ring) => ring.exchange_pool(pool),
            Kinds::Chained(ring) => ring.exchange_pool(pool),
            Kinds::Xsk(ring) => {
                ring.exchange_pool(pool);
                Ok(())
            }
        }
    }

    /// The device that does DMA for the queue.
    pub(crate) fn dma_device(&self) -> DmaDevice<'_> {
        match &self.0 {
            Kinds::Single(ring) => ring.queue.dma_device(),
            Kinds::Chained(ring) => ring.queue.dma_device(),
            Kinds::Xsk(ring) => ring.queue.dma_device(),
        }
    }

    /// The size of the ring, in descriptors.
    pub(crate) fn size(&self) -> u32 {
        match &self.0 {
            Kinds::Single(ring) => ring.queue.size(),
            Kinds::Chained(ring) => ring.queue.size(),
            Kinds::Xsk(ring) => ring.queue.size(),
        }
    }

    /// The largest size of the ring, in descriptors.
    pub(crate) fn max_size(&self) -> u32 {
        match &self.0 {
            Kinds::Single(ring) => ring.queue.max_size(),
            Kinds::Chained(ring) => ring.queue.max_size(),
            Kinds::Xsk(ring) => ring.queue.max_size(),
        }
    }

    /// The least size of a ring that the longest packet fits into, in descriptors.
    pub(crate) fn min_size(&self) -> u32 {
        match &self.0 {
            Kinds::Single(ring) => ring.min_size(),
            Kinds::Chained(_) => Chain::SEGMENTS as u32,
            Kinds::Xsk(ring) => ring.min_size(),
        }
    }

    /// Changes the size of the ring, see [`Virtqueue::resize`].
    pub(crate) fn resize(&mut self, size: u32) -> Resized {
        match &mut self.0 {
            Kinds::Single(ring) => ring.resize(size),
            Kinds::Chained(ring) => ring.resize(size),
            Kinds::Xsk(ring) => ring.resize(size),
        }
    }
}

impl Arm for Queue {
    type Armed<'a> = Armed<'a>;

    #[inline]
    fn arm(&mut self) -> Armed<'_> {
        match &mut self.0 {
            Kinds::Single(ring) => ring.queue.arm().into(),
            Kinds::Chained(ring) => ring.queue.arm().into(),
            Kinds::Xsk(ring) => ring.queue.arm().into(),
        }
    }
}

/// What the file of a receive queue in sysfs shows. C function: `mergeable_rx_buffer_size_show()`.
pub(crate) fn shown_buffer_len(device: &Device<VirtioNet>, stats: &stats::Rx) -> u32 {
    if device.has_program() {
        PoolBuffer::XDP_CAPACITY
    } else {
        single::shown_len(device.shared(), stats)
    }
}

/// See [`Queue::fill`].
fn fill_first<R: Ring>(
    ring: &mut R,
    device: &Device<VirtioNet>,
    stats: &stats::Rx,
    owner: &Exclusive<'_>,
) {
    let is_used = owner.napi().index() < device.num_queues();
    let free = if is_used { 0 } else { ring.idle() };
    fill(ring, device.shared(), stats, owner, free);
}

/// Lends buffers to the device until no more than `free` descriptors are. It has to be told. C function:
/// `try_fill_recv()`.
// Once for all that fill a ring: it is short only by itself.
#[inline(never)]
fn fill<R: Ring>(
    ring: &mut R,
    shared: &Shared,
    stats: &stats::Rx,
    owner: &Exclusive<'_>,
    free: u32,
) {
    let len = if !owner.has_program() {
        ring.buffer_len(shared, stats)
    } else if let Some(len) = ring.copied_len() {
        len
    } else {
        return xdp::fill(ring, stats, owner, free);
    };
    while ring.queue().num_free() > free {
        match ring.lend(len, owner) {
            Lent::Yes => {}
            Lent::NoRoom => break,
            Lent::NoMemory => return no_memory(stats, owner),
        }
    }
}

/// Tries again later to lend buffers, as there is no memory for them now.
#[cold]
fn no_memory(stats: &stats::Rx, owner: &Exclusive<'_>) {
    stats.alloc_fail.add(1);
    owner.napi().schedule_later(REFILL_RETRY_MS);
}

/// The length of what a buffer has of a packet, of `written` bytes with the header.
#[inline]
fn packet_len(written: u32, header_len: u32) -> Result<u32, Bad> {
    // Both are small: one comparison for what is below either.
    if written < header_len.wrapping_add(ETH_HLEN) {
        return Err(Bad::Length);
    }
    Ok(written.wrapping_sub(header_len))
}

/// The header at the start of a buffer, which may be too short for the longest one.
#[inline(always)]
fn read_header(start: Option<[u8; Header::LEN]>) -> Result<Header, Bad> {
    start.map(Header::from_bytes).ok_or(Bad::Length)
}

/// A pool for the buffers of `queue`, which is the receive queue `index`.
fn pool<B: Incoming<Source = PoolSource>>(
    netdev: &Allocated<VirtioNet>,
    index: u16,
    queue: &mut Virtqueue<B>,
) -> Result<PagePool> {
    let pool = netdev.page_pool(index, queue.size(), queue.dma_device())?;
    queue.lend_from(pool.source())?;
    Ok(pool)
}

#[inline]
fn kick<R: Ring>(ring: &mut R, stats: &stats::Rx) {
    if ring.queue().kick() {
        stats.kicks.add(1);
    }
}

/// Receives up to `budget` packets and returns how many there were, bad ones included.
///
/// C functions: `virtnet_receive()`, `receive_buf()`.
#[inline]
fn receive<R: Ring>(
    ring: &mut R,
    shared: &Shared,
    stats: &stats::Rx,
    polling: &Polling<'_>,
    budget: u32,
) -> u32 {
    let (mut seen, mut packets, mut bytes) = (0u32, 0u64, 0u64);

    while seen < budget {
        let Some(next) = ring.queue().pop() else {
            break;
        };
        seen = seen.wrapping_add(1);
        let result = match next {
            Ok((buffer, written)) => ring.receive(shared, polling, buffer, written),
            Err(Overrun { .. }) => Err(Bad::Length),
        };
        match result {
            Ok(len) => {
                packets = packets.wrapping_add(1);
                bytes = bytes.wrapping_add(len.into());
            }
            Err(bad) => bad.count(stats),
        }
    }
    stats.packets.add(packets);
    stats.bytes.add(bytes);
    seen
}

impl Bad {
    #[inline]
    fn count(self, stats: &stats::Rx) {
        match self {
            Self::Length => stats.length_errors.add(1),
            Self::Frame => stats.frame_errors.add(1),
            Self::Memory => stats.drops.add(1),
            Self::Program => {
                stats.drops.add(1);
                stats.xdp_drops.add(1);
            }
        }
    }
}

/// Hands a packet to the stack, and returns its length in bytes. C function:
/// `virtnet_receive_done()`.
#[inline]
fn deliver(skb: RxSkb, shared: &Shared, polling: &Polling<'_>, header: Header) -> Result<u32, Bad> {
    let len = skb.len();
    vnet::deliver(skb, polling, &shared.framing, header).map_err(|skb| {
        skb.drop_with(DropReason::DevHdr);
        Bad::Frame
    })?;
    Ok(len)
}

/// Receives what there is, and lends buffers again. Returns how many packets there were.
///
/// C function: `virtnet_poll()`.
#[inline]
fn poll_ring<R: Ring>(
    ring: &mut R,
    device: &Device<VirtioNet>,
    stats: &stats::Rx,
    polling: &Polling<'_>,
    program: Option<Program<'_>>,
    budget: u32,
) -> u32 {
    let shared = device.shared();
    ring.queue().disable_cb();
    let received = match program {
        None => receive(ring, shared, stats, polling, budget),
        Some(program) => xdp::receive(ring, device, stats, polling, &program, budget),
    };
    let queue = ring.queue();
    let (free, often_enough) = (queue.num_free(), budget.min(queue.size()) / 2);
    // Where nothing has come yet the few buffers that are lent are enough.
    if free > often_enough.min(ring.slack()) && (received != 0 || free > ring.idle()) {
        fill(ring, shared, stats, polling.owner(), 0);
        kick(ring, stats);
    }
    received
}

/// Polls a receive queue, and the transmit queue beside it.
pub(crate) fn poll<'poll>(
    device: &Device<VirtioNet>,
    mut poll: RxPoll<'poll, VirtioNet>,
) -> Done<'poll> {
    if let Some(mut tx) = poll.try_lock_tx() {
        tx::reclaim_beside(tx.access());
    }
    let budget = poll.budget();
    let RxAccess {
        state,
        stats,
        polling,
        program,
    } = poll.access();
    let received = match &mut state.0 {
        Kinds::Single(ring) => poll_ring(ring, device, stats, polling, program, budget),
        Kinds::Chained(ring) => poll_ring(ring, device, stats, polling, program, budget),
        Kinds::Xsk(ring) => xsk::poll(ring, device, stats, polling, program, budget),
    };
    if received < budget {
        poll.complete(received)
    } else {
        poll.again()
    }
}
