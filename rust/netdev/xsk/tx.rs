// SPDX-License-Identifier: GPL-2.0

//! The transmit side of a pool: packets that user space wants sent.

use super::{
    order::Order,
    XskDesc,
    XskSent,
    XskSource, //
};
use crate::bindings;
use core::sync::atomic::{
    fence,
    Ordering::SeqCst, //
};
use kernel::prelude::*;

/// The packets that sockets of a pool want sent.
///
/// # Invariants
///
/// There is no other value of what `source` has open.
pub struct XskTx {
    source: XskSource,
    order: Order,
    max_chunks: u32,
    /// How many chunks can be said to have been sent, and have not been.
    unsaid: u32,
}

/// How many packets were taken from sockets, and how many of these were sent.
#[derive(Clone, Copy, Default)]
pub struct XskTaken {
    /// Those that were taken.
    pub packets: u32,
    /// Their chunks.
    pub chunks: u32,
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
            max_chunks: source.max_chunks(),
            source,
            order: Order::new(packets.saturating_mul(2))?,
            unsaid: 0,
        })
    }

    /// What the packets belong to.
    pub fn source(&self) -> XskSource {
        self.source.clone()
    }

    /// How many chunks the device has, and those that came back before them.
    #[inline]
    pub fn pending(&self) -> u32 {
        self.order.pending()
    }

    /// How many chunks a packet may have: 1, unless user space has said that it sends such packets (`XDP_USE_SG`). Where fewer can
    /// be taken there may be a packet that is not.
    #[inline]
    pub fn max_chunks(&self) -> u32 {
        self.max_chunks
    }

    /// Whether packets may come with requests ([`XskDesc::checksum`]): if so, for as long as the pool is bound, and
    /// [`XskDesc::map_behind`] is for them.
    #[inline]
    pub fn takes_requests(&self) -> bool {
        self.source.takes_requests()
    }

    /// How many more chunks can be sent. Each packet has a slot where it needs one.
    #[inline]
    fn room(&self) -> u32 {
        let room = self.order.room();
        if self.takes_requests() {
            let slots = self.source.slots().count();
            room.min(slots.saturating_sub(self.order.pending()))
        } else {
            room
        }
    }

    /// Takes packets of up to `max` chunks from the sockets, in turn, and has `send` called with each. Those that it gives back
    /// have been dropped: user space is told that they were sent, when those before them have been.
    #[inline]
    pub fn send(
        &mut self,
        max: u32,
        mut send: impl FnMut(XskDesc<'_>) -> Result<(), XskSent>,
    ) -> XskTaken {
        let mut taken = XskTaken::default();
        let raw = self.source.raw();
        let max = max.min(self.room());
        if max == 0 {
            return taken;
        }
        // SAFETY: The pool is open, and by the type invariant nobody else takes packets.
        taken.chunks = unsafe { bindings::xsk_tx_peek_release_desc_batch(raw, max) };
        // There is room for as many as were asked for.
        let Some(mut number) = self.order.send(taken.chunks) else {
            return taken;
        };
        let mut index = 0;
        while index < taken.chunks {
            let pending = self.order.pending_before(number);
            // SAFETY: So many are there, and while the pool is borrowed no others are taken. By the type invariant nobody else has
            // the slots, and the next packet gets its slot when this one is gone.
            let desc = unsafe { XskDesc::read(&self.source, index, taken.chunks, number, pending) };
            index = index.wrapping_add(desc.chunks());
            number = number.wrapping_add(desc.chunks());
            taken.packets = taken.packets.wrapping_add(1);
            if let Err(sent) = send(desc) {
                taken.failed = taken.failed.wrapping_add(1);
                self.sent(sent);
            }
        }
        self.tell();
        taken
    }

    /// The device is done with a packet. User space is [told](Self::tell) of several at a time. Any context.
    #[inline]
    pub fn sent(&mut self, sent: XskSent) {
        let chunks = sent.chunks();
        if self.order.done_in_order(sent.number(), chunks) {
            self.unsaid = self.unsaid.wrapping_add(chunks);
        } else {
            self.sent_early(sent);
        }
    }

    /// As [`sent`](Self::sent), of a packet that is not the oldest one, or that others have not waited for.
    #[cold]
    fn sent_early(&mut self, sent: XskSent) {
        for index in 0..sent.chunks() {
            let said = self.order.done(sent.number().wrapping_add(index));
            self.unsaid = self.unsaid.wrapping_add(said);
        }
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
