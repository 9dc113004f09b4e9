// SPDX-License-Identifier: GPL-2.0

//! The transmit side of a pool: packets that user space wants sent.

use super::{
    order::Order,
    XskSource, //
};
use crate::bindings;
use core::sync::atomic::{
    fence,
    Ordering::SeqCst, //
};
use dma::sg;
use kernel::prelude::*;

/// The packets that sockets of a pool want sent.
///
/// # Invariants
///
/// There is no other value of what `source` has open.
pub struct XskTx {
    source: XskSource,
    order: Order,
    /// How many can be said to have been sent, and have not been.
    unsaid: u32,
}

/// A packet that is to be sent, in memory of user space. What its descriptor said has been copied, and checked against the
/// pool.
///
/// # Invariants
///
/// As long as what has the number `id` is open, the device finds `len` bytes of its pool at `dma`, and as many zeroes at `zeroes` as
/// `XskSource::ZEROES` says.
pub struct XskDesc {
    dma: u64,
    len: u32,
    number: u32,
    zeroes: u64,
    id: u32,
}

/// A packet that has been sent, or could not be.
pub struct XskSent {
    number: u32,
    len: u32,
}

impl XskSent {
    /// How many bits a length has. Chunks are not longer than a page.
    const LEN_BITS: u32 = 24;

    /// The length of the packet, in bytes.
    #[inline]
    #[expect(clippy::len_without_is_empty)]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// In a token whose `low` lowest bits are 0.
    ///
    /// There is no memory behind it.
    #[inline]
    pub fn to_addr(&self, low: u32) -> usize {
        ((self.number as usize) << Self::LEN_BITS | self.len as usize) << low
    }

    /// What [`to_addr`](Self::to_addr) has put there.
    #[inline]
    pub fn from_addr(addr: usize, low: u32) -> Self {
        let addr = addr >> low;
        Self {
            // CAST: The numbers have been put there, with so many bits.
            number: (addr >> Self::LEN_BITS) as u32,
            len: (addr & ((1 << Self::LEN_BITS) - 1)) as u32,
        }
    }
}

impl XskDesc {
    /// Whether it belongs to `source`.
    #[inline]
    pub fn is_of(&self, source: &XskSource) -> bool {
        self.id == source.id()
    }

    /// Describes `zeroes` zeroes and the packet, by DMA addresses.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if there are not so many zeroes, or if the table has less than two entries.
    #[inline]
    pub fn map(&self, zeroes: u32, table: &mut sg::Table) -> Result<sg::Mapped> {
        if table.capacity() < 2 || zeroes > XskSource::ZEROES {
            return Err(EMSGSIZE);
        }
        let list = table.as_mut_ptr();
        // SAFETY: The table has two entries.
        unsafe {
            bindings::sg_start(list, 2);
            bindings::sg_set_dma(list, self.zeroes, zeroes);
            bindings::sg_set_dma(list.add(1), self.dma, self.len);
            Ok(sg::Mapped::new(2))
        }
    }

    /// What it is when it has been sent.
    #[inline]
    pub fn into_sent(self) -> XskSent {
        XskSent {
            number: self.number,
            len: self.len,
        }
    }
}

/// How many packets were taken from sockets, and how many of these were sent.
#[derive(Clone, Copy, Default)]
pub struct XskTaken {
    /// Those that were taken.
    pub packets: u32,
    /// Those that could not be sent.
    pub failed: u32,
}

impl XskTx {
    /// # Safety
    ///
    /// There is no other value of what `source` has open.
    pub(super) unsafe fn new(source: XskSource, packets: u32) -> Result<Self> {
        // INVARIANT: By the requirement of this function.
        Ok(Self {
            source,
            order: Order::new(packets.saturating_mul(2))?,
            unsaid: 0,
        })
    }

    /// What the packets belong to.
    pub fn source(&self) -> XskSource {
        self.source.clone()
    }

    /// How many packets the device has, and those that came back before them.
    #[inline]
    pub fn pending(&self) -> u32 {
        self.order.pending()
    }

    /// Takes up to `max` packets from the sockets, in turn, and has `send` called with each. Those that it gives back
    /// have been dropped: user space is told that they were sent, when those before them have been.
    #[inline]
    pub fn send(
        &mut self,
        max: u32,
        mut send: impl FnMut(XskDesc) -> Result<(), XskSent>,
    ) -> XskTaken {
        let mut taken = XskTaken::default();
        let raw = self.source.raw();
        let max = max.min(self.order.room());
        if max == 0 {
            return taken;
        }
        // SAFETY: The pool is open, and by the type invariant nobody else takes packets.
        taken.packets = unsafe { bindings::xsk_tx_peek_release_desc_batch(raw, max) };
        for index in 0..taken.packets {
            let Some(number) = self.order.send() else {
                break;
            };
            let mut len = 0;
            // SAFETY: So many are there. The core keeps them where user space cannot write to, and has checked them.
            let dma = unsafe { bindings::xsk_tx_desc(raw, index, &mut len) };
            // INVARIANT: It is a packet of the pool.
            let desc = XskDesc {
                dma,
                len,
                number,
                zeroes: self.source.zeroes(),
                id: self.source.id(),
            };
            if let Err(sent) = send(desc) {
                taken.failed = taken.failed.wrapping_add(1);
                self.sent(&sent);
            }
        }
        self.tell();
        taken
    }

    /// The device is done with a packet. User space is [told](Self::tell) of several at a time. Any context.
    #[inline]
    pub fn sent(&mut self, sent: &XskSent) {
        let said = self.order.done(sent.number);
        self.unsaid = self.unsaid.wrapping_add(said);
    }

    /// Tells user space what has been [sent](Self::sent). Any context.
    #[inline]
    pub fn tell(&mut self) {
        let said = core::mem::take(&mut self.unsaid);
        if said != 0 {
            // SAFETY: The pool is open. So many have been taken, and were not said to have been sent yet.
            unsafe { bindings::xsk_tx_completed(self.source.raw(), said) };
        }
    }

    /// The device has nothing any more, and has not sent the rest. User space gets it back all the same.
    pub fn forget_sent(&mut self) {
        let said = self.order.forget();
        self.unsaid = self.unsaid.wrapping_add(said);
        self.tell();
    }

    /// Says whether the queue is going to look for packets by itself. If not, user space is to wake it up.
    /// Returns whether that was said just now, so that it has to look once more.
    #[inline]
    pub fn set_awake(&mut self, awake: bool) -> bool {
        let raw = self.source.raw();
        // SAFETY: The pool is open.
        unsafe {
            if !bindings::xsk_uses_need_wakeup(raw) {
                return false;
            }
            if awake {
                bindings::xsk_clear_tx_need_wakeup(raw);
                return false;
            }
            bindings::xsk_set_tx_need_wakeup(raw);
        }
        fence(SeqCst);
        true
    }
}

impl Drop for XskTx {
    fn drop(&mut self) {
        self.forget_sent();
    }
}
