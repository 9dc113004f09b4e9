// SPDX-License-Identifier: GPL-2.0

//! Socket buffers.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use crate::{
    bindings,
    napi::Polling,
    page_pool::TAILROOM,
    PoolBuffer,
    PoolPage, //
};
use core::{
    ffi::c_void,
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use dma::Incoming;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// The length above which nothing is appended to a packet, in bytes. Far more than any packet has, it
/// keeps the sums of lengths in the range of their type.
const MAX_LEN: u32 = 1 << 24;

/// Why a packet is dropped: what `perf trace` and dropwatch show.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum DropReason {
    /// No reason given. That of a packet that just falls out of scope.
    NotSpecified = bindings::skb_drop_reason_SKB_DROP_REASON_NOT_SPECIFIED,
    /// What the device or the stack says about the packet contradicts the packet.
    DevHdr = bindings::skb_drop_reason_SKB_DROP_REASON_DEV_HDR,
    /// The ring does not take the packet.
    FullRing = bindings::skb_drop_reason_SKB_DROP_REASON_FULL_RING,
    /// The queue is emptied: the device has not sent the packet, and will not.
    QueuePurge = bindings::skb_drop_reason_SKB_DROP_REASON_QUEUE_PURGE,
    /// There is no memory.
    NoMem = bindings::skb_drop_reason_SKB_DROP_REASON_NOMEM,
}

/// An owned packet.
///
/// It is given back explicitly: sent (moved into a virtqueue, and
/// [consumed](crate::TxQueue::consume) when it returns), [delivered](Frame::deliver), or [dropped
/// with a reason](Self::drop_with). One that falls out of scope is dropped without a reason, which
/// shows in the kernel's drop monitor.
///
/// # Invariants
///
/// A reference to a valid `struct sk_buff` is owned. `pktgen` may own further ones to the same; so
/// no Rust reference to the packet's memory is made, and a driver writes only what is the same for
/// each time it is sent.
pub struct SkBuff(NonNull<bindings::sk_buff>);

// SAFETY: A packet may be freed by any thread.
unsafe impl Send for SkBuff {}

impl SkBuff {
    /// # Safety
    ///
    /// A reference to `raw` passes to the new value.
    #[inline]
    pub unsafe fn from_raw(raw: NonNull<bindings::sk_buff>) -> Self {
        // INVARIANT: By the requirement of this function.
        Self(raw)
    }

    /// The packet, for functions of C.
    #[inline]
    pub fn as_raw(&self) -> *mut bindings::sk_buff {
        self.0.as_ptr()
    }

    /// Passes the reference to the caller.
    #[inline]
    pub fn into_raw(self) -> NonNull<bindings::sk_buff> {
        ManuallyDrop::new(self).0
    }

    /// The length of the packet, in bytes.
    #[inline]
    #[expect(clippy::len_without_is_empty)]
    pub fn len(&self) -> u32 {
        // SAFETY: By the type invariant.
        unsafe { (*self.as_raw()).len }
    }

    /// The number of packets that it is on the wire: 1, or as many as its segments (`gso_segs`).
    #[inline]
    pub fn segments(&self) -> u32 {
        // SAFETY: By the type invariant.
        u32::from(unsafe { bindings::skb_gso_segs(self.as_raw()) }).max(1)
    }

    /// The length of the part that is not in fragments, in bytes.
    #[inline]
    fn linear_len(&self) -> u32 {
        // SAFETY: By the type invariant.
        unsafe { (*self.as_raw()).len.wrapping_sub((*self.as_raw()).data_len) }
    }

    /// Takes the time of sending, if somebody wants to know it. Called as late as possible before
    /// the device can see the packet. C function: `skb_tx_timestamp()`.
    #[inline]
    pub fn tx_timestamp(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::skb_tx_timestamp(self.as_raw()) }
    }

    /// Lets go of all that would be kept waiting for the packet to be freed: its socket, route and
    /// connection, and what its sender wants back (which is copied).
    ///
    /// Softirq context, or process context with softirqs disabled.
    ///
    /// # Errors
    ///
    /// The packet comes back if there is no memory for the copy.
    #[inline]
    pub fn orphan(self) -> Result<Self, Self> {
        // SAFETY: By the type invariant. The packet is about to be sent, so nobody else writes to
        // it; one with further references (`pktgen`) has none of these.
        if unsafe { bindings::skb_tx_orphan(self.as_raw()) } {
            Ok(self)
        } else {
            Err(self)
        }
    }

    /// Drops the packet. Any context.
    #[inline]
    pub fn drop_with(self, reason: DropReason) {
        // SAFETY: The reference is owned and passed on.
        unsafe { bindings::dev_kfree_skb_any_reason(self.into_raw().as_ptr(), reason as u32) }
    }
}

impl Drop for SkBuff {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: The reference is owned.
        unsafe {
            bindings::dev_kfree_skb_any_reason(self.as_raw(), DropReason::NotSpecified as u32)
        }
    }
}

/// A packet that is being received, made of [`PoolBuffer`]s.
///
/// # Invariants
///
/// The packet's fragments are those of page_pools, and it is marked so; its head is one too, or
/// ordinary memory.
pub struct RxSkb {
    skb: SkBuff,
    /// The skb that takes the next fragment: `skb`, or the last one in its `frag_list`.
    tail: NonNull<bindings::sk_buff>,
}

// SAFETY: `tail` is a part of the packet that is owned.
unsafe impl Send for RxSkb {}

impl PoolBuffer {
    /// Makes a packet of `len` bytes, which start `skip` bytes into the data, without copying.
    ///
    /// # Errors
    ///
    /// The buffer comes back if it is shorter, or if there is no memory for the `struct sk_buff`.
    #[inline]
    pub fn into_skb(self, _polling: &Polling<'_>, skip: u32, len: u32) -> Result<RxSkb, Self> {
        if self.part(skip, len).is_none() {
            return Err(self);
        }
        let (start, size) = self.fragment();
        let headroom = self.headroom().wrapping_add(skip);
        debug_assert!(headroom + len + TAILROOM <= size);
        // SAFETY: The fragment is owned, has `size` bytes, and the sum above fits into it.
        // `napi_build_skb` is called in softirq context, as `_polling` shows.
        let skb = unsafe { RxSkb::new(bindings::napi_build_pp_skb(start, size, headroom, len)) };
        match skb {
            None => Err(self),
            Some(skb) => {
                // The packet owns the fragment now.
                core::mem::forget(self);
                Ok(skb)
            }
        }
    }
}

impl PoolBuffer {
    /// Copies a whole packet to the start of the data.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if the buffer is shorter.
    pub fn copy_from(&mut self, packet: &SkBuff) -> Result {
        let len = packet.len();
        if len > self.capacity() {
            return Err(EMSGSIZE);
        }
        // SAFETY: The packet is valid, and as long; the fragment is owned, and has as many bytes.
        to_result(unsafe { bindings::skb_copy_bits(packet.as_raw(), 0, self.data(), len as c_int) })
    }

    /// The length up to which a packet is better copied, in bytes: it then holds no more memory
    /// than it needs, for as long as it waits somewhere. C name: `GOOD_COPY_LEN`.
    pub const COPY: u32 = 128;

    /// Makes a packet of a copy of `len` bytes, which start `skip` bytes into the data.
    ///
    /// Returns `None` if there are fewer, if they are more than [`COPY`](Self::COPY), or if there is
    /// no memory.
    #[inline]
    pub fn copy_to_skb(&self, polling: &Polling<'_>, skip: u32, len: u32) -> Option<RxSkb> {
        if len > Self::COPY {
            return None;
        }
        let data = self.part(skip, len)?;
        // SAFETY: The fragment is owned and has these bytes. The poll function of the context is
        // running.
        unsafe {
            let napi = polling.napi().as_raw();
            RxSkb::new(bindings::napi_copy_skb(napi, data, len, Self::COPY))
        }
    }
}

impl RxSkb {
    /// # Safety
    ///
    /// `raw` is null, or a new packet that has been marked for the page_pool, which passes to the new value.
    #[inline]
    pub(crate) unsafe fn new(raw: *mut bindings::sk_buff) -> Option<Self> {
        let tail = NonNull::new(raw)?;
        // INVARIANT: By the requirement of this function.
        Some(Self {
            // SAFETY: The reference is new.
            skb: unsafe { SkBuff::from_raw(tail) },
            tail,
        })
    }

    /// The length of the packet, in bytes.
    #[inline]
    #[expect(clippy::len_without_is_empty)]
    pub fn len(&self) -> u32 {
        self.skb.len()
    }

    /// Appends `len` bytes at `data`. Returns whether they belong to the packet now.
    ///
    /// # Safety
    ///
    /// They lie in a fragment of a page_pool of `truesize` bytes, which is owned and passes to the
    /// packet if it is appended.
    #[inline]
    unsafe fn append_raw(&mut self, data: *mut c_void, len: u32, truesize: u32) -> bool {
        if len > MAX_LEN || self.skb.len() > MAX_LEN {
            return false;
        }
        let (head, tail) = (self.skb.as_raw(), self.tail.as_ptr());
        // SAFETY: The packet is valid and made of fragments. The rest is the requirement of this
        // function.
        let tail = unsafe { bindings::skb_append_pp_frag(head, tail, data, len, truesize) };
        match NonNull::new(tail) {
            None => false,
            Some(tail) => {
                // INVARIANT: The helper has marked a new skb.
                self.tail = tail;
                true
            }
        }
    }

    /// Appends the first `len` bytes of `buffer`, without copying.
    ///
    /// # Errors
    ///
    /// The buffer comes back if it is shorter, if the packet is longer than any can be, or if there
    /// is no memory for a further `struct sk_buff`, which every `MAX_SKB_FRAGS` fragments take.
    #[inline]
    pub fn append(&mut self, buffer: PoolBuffer, len: u32) -> Result<(), PoolBuffer> {
        let (_, size) = buffer.fragment();
        // SAFETY: The fragment is owned and has at least `len` bytes.
        if len > buffer.capacity() || !unsafe { self.append_raw(buffer.data(), len, size) } {
            return Err(buffer);
        }
        core::mem::forget(buffer);
        Ok(())
    }

    /// Appends the first `len` bytes of `page`, without copying.
    ///
    /// # Errors
    ///
    /// As for [`append`](Self::append).
    #[inline]
    pub fn append_page(&mut self, page: PoolPage, len: u32) -> Result<(), PoolPage> {
        let size = PoolPage::CAPACITY;
        // SAFETY: The page is owned and has at least `len` bytes.
        if len > size || !unsafe { self.append_raw(page.data(), len, size) } {
            return Err(page);
        }
        core::mem::forget(page);
        Ok(())
    }

    /// The packet, if it starts with an Ethernet header, so that it can be handed to the stack.
    ///
    /// # Errors
    ///
    /// The packet comes back if its first buffer has less than that.
    #[inline]
    pub fn into_frame(self) -> Result<Frame, SkBuff> {
        if self.skb.linear_len() < crate::ETH_HLEN {
            return Err(self.skb);
        }
        // INVARIANT: It has just been looked at.
        Ok(Frame(self.skb))
    }

    /// Drops the packet. Any context.
    pub fn drop_with(self, reason: DropReason) {
        self.skb.drop_with(reason);
    }
}

/// A packet that has been received and starts with an Ethernet header.
///
/// # Invariants
///
/// Its linear part has the header.
pub struct Frame(SkBuff);

impl Frame {
    /// The packet, for functions of C that do not make its linear part shorter.
    #[inline]
    pub fn as_raw(&mut self) -> *mut bindings::sk_buff {
        self.0.as_raw()
    }

    /// The packet, which is not going to be delivered.
    #[inline]
    pub fn into_skb(self) -> SkBuff {
        self.0
    }

    /// Hands the packet to the stack.
    #[inline]
    pub fn deliver(self, polling: &Polling<'_>) {
        let napi = polling.napi();
        // SAFETY: The packet passes on, in the poll function of the NAPI context, whose device is
        // registered. By the type invariant its linear part has an Ethernet header.
        unsafe {
            bindings::napi_receive_eth(napi.as_raw(), self.0.into_raw().as_ptr(), napi.index())
        };
    }
}
