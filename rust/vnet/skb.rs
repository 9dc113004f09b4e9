// SPDX-License-Identifier: GPL-2.0

//! A packet of the stack that is to be sent, with its header.
//!
//! The header is zeroed to its end, also where nothing has been negotiated that would be written there: it lies in
//! headroom that may hold anything of the guest's. It is in one segment with the packet where the device allows
//! that, so a packet without fragments takes one descriptor.

use super::{
    Framing,
    RawHeader,
    NUM_BUFFERS,
    WITH_HASH,
    WITH_NUM_BUFFERS,
    WITH_TUNNEL, //
};
use crate::bindings;
use core::mem::align_of;
use dma::sg;
use kernel::prelude::*;
use netdev::{
    Features,
    SkBuff, //
};

/// Of `features`, those that a header can describe for `skb`: see [`CheckFeatures`](netdev::CheckFeatures).
/// It has one checksum, which is the inner one of an encapsulated packet only if that is to be segmented.
#[inline]
pub fn features_check(skb: &SkBuff, features: Features) -> Features {
    // SAFETY: The packet is valid.
    Features::from_bits(unsafe {
        bindings::virtio_net_features_check(skb.as_raw(), features.bits())
    })
}

/// A packet of the stack, with its header.
///
/// The header is in the headroom of the packet where the device takes that, else in `skb->cb`.
///
/// # Invariants
///
/// The header has been written to where `pushed` says.
pub(crate) struct SkbPacket {
    skb: SkBuff,
    header_len: u8,
    pushed: bool,
}

/// Zeroes a header of `len` bytes.
///
/// # Safety
///
/// `header` is valid for writes of `len` bytes.
#[inline]
pub(super) unsafe fn zero(header: *mut u8, len: usize) {
    // SAFETY: By the requirement of this function: no header is shorter than that.
    unsafe {
        header.write_bytes(0, NUM_BUFFERS);
        zero_rest(header, len);
    }
}

/// Zeroes what a header of `len` bytes has behind the part that all have in common.
///
/// # Safety
///
/// `header` is valid for writes of `len` bytes.
#[inline]
unsafe fn zero_rest(header: *mut u8, len: usize) {
    const SHORT: usize = WITH_NUM_BUFFERS - NUM_BUFFERS;
    const HASH: usize = WITH_HASH - WITH_NUM_BUFFERS;
    const TUNNEL: usize = WITH_TUNNEL - WITH_NUM_BUFFERS;

    // SAFETY: By the requirement of this function. Constant lengths, so that these are stores.
    unsafe {
        if len >= WITH_NUM_BUFFERS {
            header.add(NUM_BUFFERS).write_bytes(0, SHORT);
        }
        if len == WITH_TUNNEL {
            header.add(WITH_NUM_BUFFERS).write_bytes(0, TUNNEL);
        } else if len == WITH_HASH {
            header.add(WITH_NUM_BUFFERS).write_bytes(0, HASH);
        }
    }
}

impl SkbPacket {
    /// Puts the header before `skb`.
    ///
    /// # Errors
    ///
    /// The packet comes back if it cannot be described to the device, because it is segmented in a
    /// way that no device has been asked to handle.
    #[inline]
    pub(super) fn new(skb: SkBuff, framing: &Framing) -> Result<Self, SkBuff> {
        let raw = skb.as_raw();
        let len = usize::from(framing.len);
        // SAFETY: The packet is valid. If its headroom may be written to and has room, the header
        // is put there, aligned; else in `cb`, which has 48 aligned bytes and belongs to whoever
        // has the packet. A short header is a prefix of the long one, and the helper writes the
        // tunnel's fields only where they have been negotiated.
        let (pushed, error) = unsafe {
            let pushed = framing.any_layout
                && bindings::skb_can_push(
                    raw,
                    framing.header_len(),
                    align_of::<RawHeader>() as u32,
                );
            let place = if pushed {
                (*raw).data.wrapping_sub(len)
            } else {
                core::ptr::addr_of_mut!((*raw).cb).cast()
            };
            zero_rest(place, len);
            let error = bindings::virtio_net_hdr_from_skb(
                raw,
                place.cast(),
                framing.little_endian,
                framing.send_tunnel,
                framing.exact_header_len,
            );
            (pushed, error)
        };
        if error != 0 {
            return Err(skb);
        }
        // INVARIANT: It has just been written.
        Ok(Self {
            skb,
            header_len: framing.len,
            pushed,
        })
    }

    /// Describes the header, which is in the packet's headroom or in the `struct sk_buff`, and the packet's data: see
    /// [`Outgoing::map`](dma::Outgoing::map).
    #[inline(always)]
    pub(super) fn map(&self, table: &mut sg::Table) -> Result<sg::Mapped> {
        let skb = self.skb.as_raw();
        let header_len = u32::from(self.header_len);
        // SAFETY: The packet is valid.
        let (data, len, in_frags) = unsafe { ((*skb).data, (*skb).len, (*skb).data_len) };
        if self.pushed && in_frags == 0 && table.capacity() != 0 {
            let start = data.wrapping_sub(header_len as usize).cast();
            // SAFETY: The table has an entry, which becomes the only one of the list. The header
            // has been written to the headroom right before the packet, which is all linear.
            return Ok(unsafe {
                bindings::sg_set_only(table.as_mut_ptr(), start, header_len.wrapping_add(len));
                sg::Mapped::new(1)
            });
        }
        // SAFETY: The packet is valid.
        let frags = unsafe { bindings::skb_nr_frags(skb) };
        // Fragments, linear part, and the header if it is apart.
        let entries = frags.wrapping_add(1).wrapping_add(u32::from(!self.pushed));
        if entries as usize > table.capacity() {
            return Err(EMSGSIZE);
        }
        let list = table.as_mut_ptr();
        // SAFETY: The table has `entries` entries. The packet is valid, and pushing makes the
        // header, which has been written to its headroom, a part of its data for the duration of
        // the call. `skb_to_sgvec` fails rather than going beyond the entry that `sg_start`
        // marks as the last.
        let mapped = unsafe {
            bindings::sg_start(list, entries);
            if self.pushed {
                (*skb).data = (*skb).data.wrapping_sub(header_len as usize);
                (*skb).len = (*skb).len.wrapping_add(header_len);
                let mapped = bindings::skb_to_sgvec(skb, list, 0, (*skb).len as c_int);
                (*skb).data = (*skb).data.wrapping_add(header_len as usize);
                (*skb).len = (*skb).len.wrapping_sub(header_len);
                mapped
            } else {
                let header = core::ptr::addr_of!((*skb).cb).cast();
                bindings::sg_set_buf(list, header, header_len);
                bindings::skb_to_sgvec(skb, list.add(1), 0, (*skb).len as c_int)
            }
        };
        if mapped < 0 {
            return Err(Error::from_errno(mapped));
        }
        // CAST: It is not negative. SAFETY: `skb_to_sgvec` marks the last entry that it fills.
        Ok(unsafe { sg::Mapped::new((mapped as u32).wrapping_add(u32::from(!self.pushed))) })
    }

    #[inline]
    pub(super) fn into_skb(self) -> SkBuff {
        self.skb
    }
}
