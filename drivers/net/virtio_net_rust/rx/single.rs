// SPDX-License-Identifier: GPL-2.0

//! Receive buffers of one page at most: one for a packet, or several that the device merges.

use super::{
    average::Average,
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
        PagePool,
        Polling,
        PoolBuffer,
        ETH_HLEN,
        VLAN_HLEN, //
    },
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
        rx::shown_buffer_len(device.shared(), stats)
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
}

impl Single {
    pub(super) fn new(queue: Virtqueue<PoolBuffer>, pool: PagePool, mode: &Mode) -> Self {
        let mut this = Self {
            queue,
            pool,
            mergeable: mode.kind() == Kind::Mergeable,
            average: Average::starting_with(FIRST_GUESS),
            longest: mode.longest,
            slack: 0,
        };
        this.set_slack();
        this
    }

    /// The least size of a ring that the longest packet fits into, in descriptors.
    pub(super) fn min_size(&self) -> u32 {
        if self.mergeable {
            self.longest.div_ceil(PoolBuffer::WHOLE_PAGE)
        } else {
            1
        }
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

    #[inline]
    fn lend(&mut self, len: u32, owner: &Exclusive<'_>) -> Lent {
        let Some(buffer) = self.pool.alloc(owner, len) else {
            return Lent::NoMemory;
        };
        match self.queue.add_inbuf(buffer) {
            Ok(()) => Lent::Yes,
            Err(_rejected) => Lent::NoRoom,
        }
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
        let len = match written.checked_sub(header_len) {
            Some(len) if len >= ETH_HLEN => len,
            _ => return Err(Bad::Length),
        };
        let header = Header::read(&buffer).ok_or(Bad::Length)?;
        let more = if self.mergeable {
            // No buffer at all is not a packet.
            header
                .num_buffers(&shared.framing)
                .checked_sub(1)
                .ok_or(Bad::Frame)?
        } else {
            0
        };
        if header.has_unnegotiated_gso(&shared.framing) {
            self.skip(more);
            return Err(Bad::Frame);
        }

        // A buffer that is not merged has about the size of a packet, and is cheaper kept than copied.
        let skb = if self.mergeable && more == 0 && len <= PoolBuffer::COPY {
            buffer.copy_to_skb(polling, header_len, len)
        } else {
            buffer.into_skb(polling, header_len, len).ok()
        };
        let Some(mut skb) = skb else {
            self.skip(more);
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
                self.skip(more.wrapping_sub(done).wrapping_sub(1));
                return Err(Bad::Length);
            }
        }

        if self.mergeable {
            self.average.add(skb.len());
        }
        super::deliver(skb, shared, polling, header)
    }
}
