// SPDX-License-Identifier: GPL-2.0

//! A frame of XDP that is to be sent, with its header.

use super::Framing;
use crate::bindings;
use dma::sg;
use kernel::prelude::*;
use netdev::XdpFrame;

/// A frame of XDP, with its header: in its headroom, or where that has no room for it, as a program may use all of it, in the
/// page of zeroes that the kernel has.
///
/// # Invariants
///
/// If it is `pushed`, the header has been written to the last `header_len` bytes of the headroom; else it is `apart`.
pub(crate) struct FramePacket {
    frame: XdpFrame,
    header_len: u8,
    pushed: bool,
    /// Whether the header takes a segment of its own.
    apart: bool,
}

impl FramePacket {
    /// Gives `frame` a header, which says nothing: its checksum is complete.
    #[inline]
    pub(super) fn new(frame: XdpFrame, framing: &Framing) -> Self {
        let header_len = framing.header_len();
        let pushed = frame.headroom() >= header_len;
        if pushed {
            let header = frame.data().wrapping_byte_sub(header_len as usize);
            // SAFETY: The frame is owned, and has that much headroom.
            unsafe { super::skb::zero(header.cast(), header_len as usize) };
        }
        // INVARIANT: It has just been written.
        Self {
            frame,
            header_len: framing.len,
            pushed,
            apart: !framing.any_layout || !pushed,
        }
    }

    /// Describes the header and the frame: see [`Outgoing::map`](dma::Outgoing::map).
    #[inline(always)]
    pub(super) fn map(&self, table: &mut sg::Table) -> Result<sg::Mapped> {
        if self.apart || self.frame.has_frags() || table.capacity() == 0 {
            return self.map_segments(table);
        }
        let header_len = u32::from(self.header_len);
        let start = self.frame.data().wrapping_byte_sub(header_len as usize);
        // SAFETY: The table has an entry, which becomes the only one of the list. The header has been written right before the
        // data, which is all that there is.
        unsafe {
            let len = header_len.wrapping_add(self.frame.len());
            bindings::sg_set_only(table.as_mut_ptr(), start, len);
            Ok(sg::Mapped::new(1))
        }
    }

    /// As [`map`](Self::map), for any number of segments.
    #[inline(never)]
    fn map_segments(&self, table: &mut sg::Table) -> Result<sg::Mapped> {
        // CAST: A table has few entries.
        let max = table.capacity() as u32;
        // SAFETY: By the type invariant. The table has `max` entries. The helper marks the last one that it fills.
        unsafe {
            match bindings::xdp_frame_to_sg(
                self.frame.as_raw(),
                table.as_mut_ptr(),
                max,
                self.header_len.into(),
                self.pushed,
                self.apart,
            ) {
                0 => Err(EMSGSIZE),
                entries => Ok(sg::Mapped::new(entries)),
            }
        }
    }

    #[inline]
    pub(super) fn into_frame(self) -> XdpFrame {
        self.frame
    }
}
