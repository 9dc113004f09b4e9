// SPDX-License-Identifier: GPL-2.0

//! Several frames that are sent together, with the lock of the queue taken once.

use super::XdpFrame;
use crate::bindings;
use core::{
    mem::MaybeUninit,
    ptr::NonNull,
    slice::from_raw_parts, //
};

/// How many frames are sent together at most, as in the stack (`XDP_BULK_QUEUE_SIZE`).
const SIZE: usize = 16;

/// Frames that a program sends back, until there are enough of them.
///
/// # Invariants
///
/// The first `len` frames are there and owned.
pub struct TxBulk {
    frames: [MaybeUninit<NonNull<bindings::xdp_frame>>; SIZE],
    len: usize,
}

impl TxBulk {
    /// An empty one.
    #[inline]
    pub fn new() -> Self {
        Self {
            frames: [MaybeUninit::uninit(); SIZE],
            len: 0,
        }
    }

    /// Adds a frame.
    ///
    /// # Errors
    ///
    /// It comes back if there is no room.
    #[inline]
    pub fn push(&mut self, frame: XdpFrame) -> Result<(), XdpFrame> {
        match self.frames.get_mut(self.len) {
            None => Err(frame),
            Some(place) => {
                // INVARIANT: The frame passes to this.
                place.write(frame.into_raw());
                self.len = self.len.wrapping_add(1);
                Ok(())
            }
        }
    }

    /// Whether there is no frame.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether there is no room for a further frame.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.len == SIZE
    }

    /// Has `send` called with all frames. Those that it does not send are returned.
    #[inline]
    pub(super) fn send(&mut self, send: impl FnOnce(&mut Frames<'_>)) {
        // SAFETY: By the type invariant so many are there.
        let there = unsafe { from_raw_parts(self.frames.as_ptr().cast(), self.len) };
        let mut frames = Frames {
            frames: there,
            sent: 0,
        };
        send(&mut frames);
        let sent = frames.sent;
        // INVARIANT: None is left: those that were not sent are returned below.
        self.len = 0;
        for raw in there.get(sent..).unwrap_or_default() {
            // SAFETY: By the type invariant; it has not been sent.
            drop(unsafe { XdpFrame::from_raw(*raw) });
        }
    }
}

impl Default for TxBulk {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for TxBulk {
    #[inline]
    fn drop(&mut self) {
        if !self.is_empty() {
            self.send(|_| ());
        }
    }
}

/// Frames that are to be sent, in this order. Those that are not stay with the caller.
///
/// # Invariants
///
/// The frames from `sent` on are valid and owned by whoever calls with this.
pub struct Frames<'a> {
    frames: &'a [NonNull<bindings::xdp_frame>],
    sent: usize,
}

impl<'a> Frames<'a> {
    /// # Safety
    ///
    /// All `frames` are valid. Those that have been [sent](Self::sent) in the end pass on; the others stay with the caller.
    #[inline]
    pub(super) unsafe fn new(frames: &'a [NonNull<bindings::xdp_frame>]) -> Self {
        // INVARIANT: By the requirement of this function.
        Self { frames, sent: 0 }
    }

    /// How many there are, with those that have been sent.
    #[inline]
    #[expect(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// How many have been sent.
    #[inline]
    pub fn sent(&self) -> usize {
        self.sent
    }

    /// Has `send` called with one frame after the other, until it gives one back: that one and the rest stay with whoever
    /// wants them sent.
    #[inline]
    pub fn send(&mut self, mut send: impl FnMut(XdpFrame) -> Result<(), XdpFrame>) {
        while let Some(raw) = self.frames.get(self.sent).copied() {
            // INVARIANT: The frame passes to `send`.
            self.sent = self.sent.wrapping_add(1);
            // SAFETY: By the type invariant.
            let Err(back) = send(unsafe { XdpFrame::from_raw(raw) }) else {
                continue;
            };
            if core::ptr::eq(back.as_raw(), raw.as_ptr()) {
                // INVARIANT: It stays with the caller.
                let _ = back.into_raw();
                self.sent = self.sent.wrapping_sub(1);
            }
            return;
        }
    }
}
