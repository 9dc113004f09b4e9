// SPDX-License-Identifier: GPL-2.0

//! The header that a virtio network device puts before each packet (virtio 1.3, section 5.1.6).
//!
//! C header: [`include/linux/virtio_net.h`](srctree/include/linux/virtio_net.h)

use crate::{
    bindings,
    skbuff::SkBuff,
    PoolBuffer,
    SKB_SEGMENTS, //
};
use core::{
    ffi::c_void,
    mem::{
        align_of,
        offset_of,
        size_of, //
    },
    ptr::NonNull, //
};
use kernel::prelude::*;
use virtio::{
    queue::{
        sg,
        Buffer,
        Outgoing, //
    },
    Device,
    Feature, //
};

/// The longest header.
type RawHeader = bindings::virtio_net_hdr_mrg_rxbuf;

const NUM_BUFFERS: usize = offset_of!(RawHeader, num_buffers);

/// How packets are framed: what has been negotiated about the header.
#[derive(Clone, Copy)]
pub struct Framing {
    /// 10 or 12.
    len: u8,
    little_endian: bool,
    /// Whether the header may share a segment with the packet.
    any_layout: bool,
}

impl Framing {
    /// The framing of `device`, whose receive buffers can be merged or not.
    pub fn of(device: &Device, mergeable: bool) -> Self {
        let modern = device.has(Feature::VERSION_1);
        let len = if modern || mergeable {
            size_of::<RawHeader>()
        } else {
            NUM_BUFFERS
        };
        Self {
            // CAST: 12 or 10.
            len: len as u8,
            little_endian: device.is_little_endian(),
            any_layout: modern || device.has(Feature::ANY_LAYOUT),
        }
    }

    /// The length of the header, in bytes.
    #[inline]
    #[expect(clippy::len_without_is_empty)]
    pub fn len(&self) -> u32 {
        self.len.into()
    }

    /// The headroom in which a packet to be sent can carry its header, in bytes.
    pub fn needed_headroom(&self) -> u16 {
        if self.any_layout {
            self.len.into()
        } else {
            0
        }
    }

    #[inline]
    pub(crate) fn is_little_endian(&self) -> bool {
        self.little_endian
    }
}

/// A copy of the header that came with a packet.
pub struct Header(RawHeader);

impl Header {
    /// The header at the start of `buffer`, or `None` if the buffer is too short for the longest
    /// one.
    ///
    /// Where the header is a short one, the field that it lacks has the value of the bytes that
    /// follow.
    #[inline]
    pub fn read(buffer: &PoolBuffer) -> Option<Self> {
        let bytes: [u8; size_of::<RawHeader>()] = buffer.copy_start()?;
        // SAFETY: All fields are integers, for which any bytes are valid; the size is the same.
        Some(Self(unsafe {
            core::mem::transmute::<[u8; size_of::<RawHeader>()], RawHeader>(bytes)
        }))
    }

    /// The number of buffers that the packet takes. It is what the device says: any number.
    #[inline]
    pub fn num_buffers(&self, framing: &Framing) -> u16 {
        if framing.little_endian {
            u16::from_le(self.0.num_buffers)
        } else {
            u16::from_be(self.0.num_buffers)
        }
    }

    /// Whether the device says that the packet is to be cut into several (`gso_type`).
    #[inline]
    pub fn is_gso(&self) -> bool {
        u32::from(self.0.hdr.gso_type) != bindings::VIRTIO_NET_HDR_GSO_NONE
    }

    #[inline]
    pub(crate) fn as_raw(&mut self) -> *mut bindings::virtio_net_hdr {
        &mut self.0.hdr
    }
}

/// A packet to be sent, with its header.
///
/// The header is in the headroom of the packet where the device takes that, else in `skb->cb`.
///
/// # Invariants
///
/// The header has been written to where `pushed` says.
pub struct Packet {
    skb: SkBuff,
    header_len: u8,
    pushed: bool,
}

impl Packet {
    /// Puts the header before `skb`.
    ///
    /// # Errors
    ///
    /// The packet comes back if it cannot be described to the device, because it is segmented in a
    /// way that no device has been asked to handle.
    #[inline]
    pub fn new(skb: SkBuff, framing: &Framing) -> Result<Self, SkBuff> {
        let raw = skb.as_raw();
        let len = usize::from(framing.len);
        // SAFETY: The packet is valid. If its headroom may be written to and has room, the header
        // is put there, aligned; else in `cb`, which has 48 aligned bytes and belongs to whoever
        // has the packet.
        let (pushed, header) = unsafe {
            let pushed = framing.any_layout
                && bindings::skb_can_push(raw, framing.len(), align_of::<RawHeader>() as u32);
            let place = if pushed {
                (*raw).data.wrapping_sub(len)
            } else {
                core::ptr::addr_of_mut!((*raw).cb).cast()
            };
            (pushed, place.cast::<RawHeader>())
        };
        // SAFETY: `header` points to `len` bytes, as above: the short header is a prefix of the
        // long one.
        let error =
            unsafe { bindings::virtio_net_hdr_from_skb(raw, header.cast(), framing.little_endian) };
        if error != 0 {
            return Err(skb);
        }
        if len > NUM_BUFFERS {
            // SAFETY: As above; the long header has the field.
            unsafe { (*header).num_buffers = 0 };
        }
        // INVARIANT: It has just been written.
        Ok(Self {
            skb,
            header_len: framing.len,
            pushed,
        })
    }

    /// The length of the packet without the header, in bytes.
    #[inline]
    #[expect(clippy::len_without_is_empty)]
    pub fn len(&self) -> u32 {
        self.skb.len()
    }
}

// SAFETY: The token is the packet's reference. While it is held, the packet's memory stays, and
// nobody writes to it: other holders of a reference only read, or (`pktgen`) send it again, which
// writes the same header again.
unsafe impl Buffer for Packet {
    const CONTEXT: bool = false;
    const SEGMENTS: usize = SKB_SEGMENTS + 1;

    unsafe fn release(token: NonNull<c_void>) {
        // SAFETY: By the requirements of this function.
        drop(unsafe { Self::reclaim(token) });
    }
}

// SAFETY: `reclaim` undoes `into_token`. `map` describes the header, which is in the packet's
// headroom or in the `struct sk_buff`, and the packet's data.
unsafe impl Outgoing for Packet {
    type Returned = SkBuff;

    #[inline]
    fn map(&self, table: &mut sg::Table) -> Result<sg::Mapped> {
        let skb = self.skb.as_raw();
        let header_len = u32::from(self.header_len);
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
        // the call. `skb_to_sgvec` fails rather than going beyond the entry that `sg_init_table`
        // marks as the last.
        let mapped = unsafe {
            bindings::sg_init_table(list, entries);
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
    fn into_token(self) -> NonNull<c_void> {
        self.skb.into_raw().cast()
    }

    #[inline]
    unsafe fn reclaim(token: NonNull<c_void>) -> SkBuff {
        // SAFETY: By the requirements of this function the token is a reference that is owned.
        unsafe { SkBuff::from_raw(token.cast()) }
    }
}
