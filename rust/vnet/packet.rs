// SPDX-License-Identifier: GPL-2.0

//! What is sent: packets of the stack, frames of XDP, and packets of AF_XDP sockets.
//!
//! All go through the same virtqueues. The lowest bits of a token tell them apart, as with C.

use super::{
    frame::FramePacket,
    skb::SkbPacket,
    xsk::XSK,
    Framing, //
};
use core::{
    ffi::c_void,
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use dma::{
    sg,
    Buffer,
    Outgoing, //
};
use kernel::prelude::*;
use netdev::{
    DropReason,
    SkBuff,
    XdpFrame,
    XskSent,
    XskSource,
    SKB_SEGMENTS, //
};

/// The bit that is set in the token of a frame: packets and frames are aligned to more.
const FRAME: usize = 1;

/// A packet to be sent, with its header.
pub struct Packet(Kind);

enum Kind {
    Skb(SkbPacket),
    Frame(FramePacket),
}

/// What has been sent, and comes back.
pub enum Sent {
    /// A packet of the stack.
    Skb(SkBuff),
    /// A frame of XDP.
    Frame(SentFrame),
    /// A packet of an AF_XDP socket.
    Xsk(XskSent),
}

impl Sent {
    /// Drops it. `reason` is for a packet of the stack. Any context.
    #[inline]
    pub fn drop_with(self, reason: DropReason) {
        match self {
            Self::Skb(skb) => skb.drop_with(reason),
            Self::Frame(frame) => drop(frame),
            // Its memory is user space's. Who has the queue tells it, of all at once.
            Self::Xsk(_sent) => {}
        }
    }
}

impl Packet {
    /// Puts the header before `skb`.
    ///
    /// # Errors
    ///
    /// The packet comes back if it cannot be described to the device, because it is segmented in a
    /// way that no device has been asked to handle.
    #[inline]
    pub fn of_skb(skb: SkBuff, framing: &Framing) -> Result<Self, SkBuff> {
        SkbPacket::new(skb, framing).map(|packet| Self(Kind::Skb(packet)))
    }

    /// Gives `frame` a header.
    #[inline]
    pub fn of_frame(frame: XdpFrame, framing: &Framing) -> Self {
        Self(Kind::Frame(FramePacket::new(frame, framing)))
    }
}

// SAFETY: The token is the packet's reference, or the frame. While it is held, the packet's memory stays, and
// nobody writes to it: other holders of a reference only read, or (`pktgen`) send it again, which
// writes the same header again. A frame has no other holder.
// What belongs to a socket stays mapped as long as the source, and is user space's, which may write to it at any time.
unsafe impl Buffer for Packet {
    type Source = XskSource;

    const CONTEXT: bool = false;
    const SEGMENTS: usize = SKB_SEGMENTS + 1;

    unsafe fn release(token: NonNull<c_void>) {
        // SAFETY: By the requirements of this function.
        unsafe { Self::reclaim(token) }.drop_with(DropReason::QueuePurge);
    }

    unsafe fn abandon(token: NonNull<c_void>) {
        // What comes to lie there may be sent, but nothing is written to.
        // SAFETY: By the requirements of this function. It matters to nobody that the device may read the packet again.
        unsafe { Self::release(token) }
    }
}

// SAFETY: `reclaim` undoes `into_token`. `map` describes the header, and the data of the packet or frame.
unsafe impl Outgoing for Packet {
    type Returned = Sent;

    #[inline(always)]
    fn map(&self, table: &mut sg::Table) -> Result<sg::Mapped> {
        match &self.0 {
            Kind::Skb(packet) => packet.map(table),
            Kind::Frame(packet) => packet.map(table),
        }
    }

    #[inline(always)]
    fn into_token(self) -> NonNull<c_void> {
        match self.0 {
            Kind::Skb(packet) => packet.into_skb().into_raw().cast(),
            Kind::Frame(packet) => {
                let frame = packet.into_frame().into_raw().cast::<c_void>();
                frame.map_addr(|addr| addr | FRAME)
            }
        }
    }

    #[inline(always)]
    unsafe fn reclaim(token: NonNull<c_void>) -> Sent {
        let kind = token.addr().get() & (FRAME | XSK);
        if kind & XSK != 0 {
            return Sent::Xsk(super::xsk::sent(token.addr().get()));
        }
        if kind != 0 {
            // INVARIANT: By the requirements of this function.
            return Sent::Frame(SentFrame(token));
        }
        // SAFETY: By the requirements of this function the token is a reference to a packet, which is owned.
        Sent::Skb(unsafe { SkBuff::from_raw(token.cast()) })
    }
}

/// A frame of XDP that has been sent.
///
/// It is told from a packet of the stack by its token, from which the bit that says so is taken no sooner than it is needed: packets of the
/// stack would pay for it.
///
/// # Invariants
///
/// It is the token of a frame, which is owned.
pub struct SentFrame(NonNull<c_void>);

impl SentFrame {
    /// The frame.
    #[inline]
    pub fn into_frame(self) -> XdpFrame {
        // SAFETY: This value goes without being dropped.
        unsafe { ManuallyDrop::new(self).take() }
    }

    /// # Safety
    ///
    /// The value is not used any more.
    #[inline]
    unsafe fn take(&mut self) -> XdpFrame {
        let frame = self.0.as_ptr().map_addr(|addr| addr & !FRAME);
        // SAFETY: By the type invariant; a frame is not null. By the requirement of this function it passes on once.
        unsafe { XdpFrame::from_raw(NonNull::new_unchecked(frame.cast())) }
    }
}

impl Drop for SentFrame {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: It is being dropped.
        drop(unsafe { self.take() });
    }
}
