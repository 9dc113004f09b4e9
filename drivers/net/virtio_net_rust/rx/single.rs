// SPDX-License-Identifier: GPL-2.0

//! Receive buffers of one page at most: one for a packet, or several that the device merges.

use super::{
    average::Average,
    packet_len,
    read_header,
    xdp,
    Bad,
    Kind,
    Lent,
    Mode,
    Ring, //
};
use crate::{
    rx,
    stats,
    Shared,
    VirtioNet, //
};
use kernel::{
    net::{
        self,
        Device,
        DropReason,
        Exclusive,
        NewBuffer,
        PagePool,
        Polling,
        PoolBuffer,
        Program,
        Verdict,
        XdpBuff,
        XdpRoom,
        ETH_HLEN,
        VLAN_HLEN, //
    },
    prelude::*,
    str::CStr,
    virtio::queue::{
        Resized,
        Virtqueue, //
    },
    vnet::{
        Framing,
        Header, //
    },
};

impl net::RxBufferFile for VirtioNet {
    const RX_BUFFER_FILE: (&'static CStr, &'static CStr) =
        (c"virtio_net", c"mergeable_rx_buffer_size");

    fn rx_buffer_len(device: &Device<Self>, stats: &stats::Rx) -> u32 {
        rx::shown_buffer_len(device, stats)
    }
}

/// The length that packets are expected to have before there are any, in bytes.
const FIRST_GUESS: u32 = 1500 + ETH_HLEN + VLAN_HLEN;

/// How many buffers are lent at least where no packet is expected.
const FEW: u32 = 16;

/// The length of buffers for so many bytes: short ones, or whole pages. There is nothing between, since on pages of
/// 4 KiB, one holds two of the one and one of the other.
fn len_for(needed: u32) -> u32 {
    if needed <= Framing::SHORT_BUFFER {
        Framing::SHORT_BUFFER
    } else {
        PoolBuffer::WHOLE_PAGE
    }
}

/// The length of buffers that the device merges, for packets of `average` bytes, in a ring of `size`
/// descriptors. C function: `get_mergeable_buf_len()`.
fn merged_len(shared: &Shared, average: u32, size: u32) -> u32 {
    // The longest packet has to fit into the ring.
    let least = shared.mode.longest.div_ceil(size.max(1));
    let expected = average.saturating_add(shared.framing.header_len());
    len_for(expected.max(least))
}

/// The length of the buffers of a queue whose buffers the device merges. Process context.
pub(super) fn shown_len(shared: &Shared, stats: &stats::Rx) -> u32 {
    let average = match stats.average.get() {
        0 => FIRST_GUESS,
        average => average,
    };
    merged_len(shared, average, shared.rings.sizes().rx)
}

/// A ring of such buffers.
///
/// The virtqueue is dropped first: it gives back what is lent while the pool is there.
pub(super) struct Single {
    pub(super) queue: Virtqueue<PoolBuffer>,
    pool: PagePool,
    mergeable: bool,
    average: Average,
    /// The longest packet, with the virtio header, in bytes.
    longest: u32,
    /// See [`Ring::slack`].
    slack: u32,
    /// Whether the longest packet would not fit into buffers for an XDP program, which hold less.
    is_tight: bool,
}

/// What such a ring has beside the virtqueue, which may lend something else meanwhile ([`xsk`](super::xsk)).
pub(super) struct Rest {
    pub(super) pool: PagePool,
    pub(super) mergeable: bool,
    average: Average,
    longest: u32,
}

impl Rest {
    /// The least size of a ring that the longest packet fits into, in descriptors.
    pub(super) fn min_size(&self) -> u32 {
        min_size(self.mergeable, self.longest)
    }
}

fn min_size(mergeable: bool, longest: u32) -> u32 {
    if mergeable {
        longest.div_ceil(PoolBuffer::WHOLE_PAGE)
    } else {
        1
    }
}

impl Single {
    pub(super) fn new(queue: Virtqueue<PoolBuffer>, pool: PagePool, mode: &Mode) -> Self {
        let rest = Rest {
            pool,
            mergeable: mode.kind() == Kind::Mergeable,
            average: Average::starting_with(FIRST_GUESS),
            longest: mode.longest,
        };
        Self::from_parts(queue, rest)
    }

    /// A ring that [`into_parts`](Self::into_parts) has taken apart.
    pub(super) fn from_parts(queue: Virtqueue<PoolBuffer>, rest: Rest) -> Self {
        let mut this = Self {
            queue,
            pool: rest.pool,
            mergeable: rest.mergeable,
            average: rest.average,
            longest: rest.longest,
            slack: 0,
            is_tight: false,
        };
        this.set_slack();
        this
    }

    /// The virtqueue, and the rest.
    pub(super) fn into_parts(self) -> (Virtqueue<PoolBuffer>, Rest) {
        let rest = Rest {
            pool: self.pool,
            mergeable: self.mergeable,
            average: self.average,
            longest: self.longest,
        };
        (self.queue, rest)
    }

    /// See [`exchange_pool`](super::Queue::exchange_pool).
    pub(super) fn exchange_pool(&mut self, pool: PagePool) -> Result {
        self.queue.exchange_source(pool.source())?;
        self.pool = pool;
        Ok(())
    }

    /// The least size of a ring that the longest packet fits into, in descriptors.
    pub(super) fn min_size(&self) -> u32 {
        min_size(self.mergeable, self.longest)
    }

    /// Takes over the size of the ring. The buffers are as `buffer_len` makes them at least.
    fn set_slack(&mut self) {
        let size = self.queue.size();
        let needed = if !self.mergeable {
            1
        } else if size.saturating_mul(Framing::SHORT_BUFFER) >= self.longest {
            self.longest.div_ceil(Framing::SHORT_BUFFER)
        } else {
            self.min_size()
        };
        self.slack = size.saturating_sub(needed);
        let room = if self.mergeable { size } else { 1 }.saturating_mul(PoolBuffer::XDP_CAPACITY);
        self.is_tight = room < self.longest;
    }

    /// Lends a buffer, if there was memory for it.
    #[inline(always)]
    fn lend_buffer(&mut self, buffer: Option<NewBuffer>) -> Lent {
        let Some(buffer) = buffer else {
            return Lent::NoMemory;
        };
        match self.queue.add_inbuf(buffer) {
            Ok(()) => Lent::Yes,
            Err(_rejected) => Lent::NoRoom,
        }
    }

    /// How many buffers follow the first one of the packet with this header.
    #[inline]
    fn following(&self, header: &Header, shared: &Shared) -> Result<u16, Bad> {
        if !self.mergeable {
            return Ok(0);
        }
        // No buffer at all is not a packet.
        header
            .num_buffers(&shared.framing)
            .checked_sub(1)
            .ok_or(Bad::Frame)
    }
}

impl Ring for Single {
    type Buffer = PoolBuffer;

    #[inline]
    fn queue(&mut self) -> &mut Virtqueue<PoolBuffer> {
        &mut self.queue
    }

    #[inline]
    fn slack(&self) -> u32 {
        self.slack
    }

    #[inline]
    fn idle(&self) -> u32 {
        self.slack.min(self.queue.size().saturating_sub(FEW))
    }

    fn resize(&mut self, size: u32) -> Resized {
        let resized = self.queue.resize(size);
        self.set_slack();
        resized
    }

    fn buffer_len(&self, shared: &Shared, stats: &stats::Rx) -> u32 {
        if self.mergeable {
            stats.average.set(self.average.bytes());
            merged_len(shared, self.average.bytes(), self.queue.size())
        } else {
            len_for(self.longest)
        }
    }

    /// A ring that is tight has buffers with less room in front, which hold more.
    fn copied_len(&self) -> Option<u32> {
        self.is_tight.then_some(PoolBuffer::WHOLE_PAGE)
    }

    // Always: two callers would have it called for each buffer.
    #[inline(always)]
    fn lend(&mut self, len: u32, owner: &Exclusive<'_>) -> Lent {
        let buffer = self.pool.alloc(owner, len);
        self.lend_buffer(buffer)
    }

    #[inline(always)]
    fn lend_for_program(&mut self, owner: &Exclusive<'_>) -> Lent {
        let buffer = self.pool.alloc_for_program(owner);
        self.lend_buffer(buffer)
    }

    /// C functions: `receive_mergeable()`, `receive_small()`.
    #[inline]
    fn receive(
        &mut self,
        shared: &Shared,
        polling: &Polling<'_>,
        buffer: PoolBuffer,
        written: u32,
    ) -> Result<u32, Bad> {
        let header_len = shared.framing.header_len();
        let len = packet_len(written, header_len)?;
        let header = read_header(buffer.copy_start(written))?;
        let more = self.following(&header, shared)?;
        if header.has_unnegotiated_gso(&shared.framing) {
            skip(&mut self.queue, more);
            return Err(Bad::Frame);
        }

        // A buffer that is not merged has about the size of a packet, and is cheaper kept than copied.
        let skb = if self.mergeable && more == 0 && len <= PoolBuffer::COPY {
            buffer.copy_to_skb(polling, header_len, len)
        } else {
            buffer.into_skb(polling, header_len, len).ok()
        };
        let Some(mut skb) = skb else {
            skip(&mut self.queue, more);
            return Err(Bad::Memory);
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
                skip(&mut self.queue, more.wrapping_sub(done).wrapping_sub(1));
                return Err(Bad::Length);
            }
        }

        if self.mergeable {
            self.average.add(skb.len());
        }
        super::deliver(skb, shared, polling, header)
    }

    /// C functions: `receive_mergeable_xdp()`, `receive_small_xdp()`.
    #[inline]
    fn receive_for_program<'p>(
        &'p mut self,
        room: &'p mut XdpRoom,
        shared: &Shared,
        polling: &'p Polling<'_>,
        program: &Program<'_>,
        buffer: PoolBuffer,
        written: u32,
    ) -> Result<(Verdict<XdpBuff<'p>>, u32, Header), Bad> {
        let header_len = shared.framing.header_len();
        let len = packet_len(written, header_len)?;
        let header = read_header(buffer.copy_start(written))?;
        let more = self.following(&header, shared)?;
        if !header.is_plain() {
            skip(&mut self.queue, more);
            return Err(xdp::not_plain(&header, shared));
        }
        // Whether the program takes fragments matters to few packets.
        let in_place = buffer.suits_program(header_len) && (more == 0 || program.has_frags());
        let packet = if in_place {
            XdpBuff::new(room, polling, &self.pool, buffer, header_len, len)
                .map_err(|_| Bad::Length)
        } else {
            copy(
                room,
                polling,
                &mut self.pool,
                buffer,
                header_len,
                len,
                program,
            )
        };
        let packet = match packet {
            Ok(packet) => packet,
            Err(bad) => {
                skip(&mut self.queue, more);
                return Err(bad);
            }
        };
        let (mut packet, total) = if more == 0 {
            (packet, len)
        } else {
            gather(&mut self.queue, packet, len, more, program)?
        };
        header.tell_hash(&mut packet, polling, &shared.framing);
        Ok((packet.run(program, polling), total, header))
    }
}

/// The first part of a packet in a new buffer: what does not fit stays where it is, if the program takes that.
#[cold]
fn copy<'p>(
    room: &'p mut XdpRoom,
    polling: &'p Polling<'_>,
    pool: &'p mut PagePool,
    buffer: PoolBuffer,
    skip: u32,
    len: u32,
    program: &Program<'_>,
) -> Result<XdpBuff<'p>, Bad> {
    let mut packet = XdpBuff::empty(room, polling, pool).ok_or(Bad::Memory)?;
    let head = len.min(packet.room());
    if !packet.copy(&buffer, skip, head) {
        return Err(Bad::Length);
    }
    let rest = len.wrapping_sub(head);
    if rest != 0 {
        let appended =
            program.has_frags() && packet.append(buffer, skip.wrapping_add(head), rest).is_ok();
        if !appended {
            return Err(Bad::Program);
        }
    }
    Ok(packet)
}

/// Adds the `more` buffers that follow: by fragments, or else by copying. A packet that has no room for them is dropped.
#[cold]
fn gather<'p>(
    queue: &mut Virtqueue<PoolBuffer>,
    mut packet: XdpBuff<'p>,
    len: u32,
    more: u16,
    program: &Program<'_>,
) -> Result<(XdpBuff<'p>, u32), Bad> {
    let mut total = len;
    let frags = program.has_frags();
    for done in 0..more {
        let bad = match queue.pop() {
            // The rest of the packet, if it comes, is not told apart from the start of one.
            None => return Err(Bad::Length),
            Some(Err(_overrun)) => Bad::Length,
            Some(Ok((buffer, written))) => {
                let added = if frags {
                    packet.append(buffer, 0, written).is_ok()
                } else {
                    packet.copy(&buffer, 0, written)
                };
                if added {
                    total = total.saturating_add(written);
                    continue;
                }
                Bad::Program
            }
        };
        skip(queue, more.wrapping_sub(done).wrapping_sub(1));
        return Err(bad);
    }
    Ok((packet, total))
}

/// Takes back the remaining `count` buffers of a packet that is dropped.
#[cold]
fn skip(queue: &mut Virtqueue<PoolBuffer>, count: u16) {
    for _ in 0..count {
        if queue.pop().is_none() {
            break;
        }
    }
}
