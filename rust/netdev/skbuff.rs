// SPDX-License-Identifier: GPL-2.0

//! Socket buffers.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use crate::{
    bindings,
    napi::Polling,
    page_pool::TAILROOM,
    Framing,
    Header,
    PoolBuffer, //
};
use core::{
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::prelude::*;
use virtio::queue::Incoming;

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
    /// There is no memory.
    NoMem = bindings::skb_drop_reason_SKB_DROP_REASON_NOMEM,
}

/// An owned packet.
///
/// It is given back explicitly: sent (moved into a virtqueue, and
/// [consumed](crate::TxQueue::consume) when it returns), [delivered](RxSkb::deliver), or [dropped
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
    pub(crate) unsafe fn from_raw(raw: NonNull<bindings::sk_buff>) -> Self {
        // INVARIANT: By the requirement of this function.
        Self(raw)
    }

    #[inline]
    pub(crate) fn as_raw(&self) -> *mut bindings::sk_buff {
        self.0.as_ptr()
    }

    /// Passes the reference to the caller.
    #[inline]
    pub(crate) fn into_raw(self) -> NonNull<bindings::sk_buff> {
        ManuallyDrop::new(self).0
    }

    /// The length of the packet, in bytes.
    #[inline]
    #[expect(clippy::len_without_is_empty)]
    pub fn len(&self) -> u32 {
        // SAFETY: By the type invariant.
        unsafe { (*self.as_raw()).len }
    }

    /// Takes the time of sending, if somebody wants to know it. Called as late as possible before
    /// the device can see the packet. C function: `skb_tx_timestamp()`.
    #[inline]
    pub fn tx_timestamp(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::skb_tx_timestamp(self.as_raw()) }
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
/// The packet's memory are fragments of page_pools, and it is marked so.
pub struct RxSkb(SkBuff);

impl PoolBuffer {
    /// Makes a packet of `len` bytes, which start `skip` bytes into the data, without copying.
    ///
    /// # Errors
    ///
    /// The buffer comes back if it is shorter, or if there is no memory for the `struct sk_buff`.
    #[inline]
    pub fn into_skb(self, _polling: &Polling<'_>, skip: u32, len: u32) -> Result<RxSkb, Self> {
        if skip
            .checked_add(len)
            .is_none_or(|end| end > self.capacity())
        {
            return Err(self);
        }
        let (start, size) = self.fragment();
        let headroom = self.headroom().wrapping_add(skip);
        debug_assert!(headroom + len + TAILROOM <= size);
        // SAFETY: The fragment is owned, has `size` bytes, and the sum above fits into it.
        // `napi_build_skb` is called in softirq context, as `_polling` shows.
        let skb = unsafe { bindings::napi_build_pp_skb(start, size, headroom, len) };
        match NonNull::new(skb) {
            None => Err(self),
            Some(skb) => {
                // The packet owns the fragment now.
                core::mem::forget(self);
                // SAFETY: The reference is new. INVARIANT: The helper has marked the packet.
                Ok(RxSkb(unsafe { SkBuff::from_raw(skb) }))
            }
        }
    }
}

impl RxSkb {
    /// The length of the packet, in bytes.
    #[inline]
    #[expect(clippy::len_without_is_empty)]
    pub fn len(&self) -> u32 {
        self.0.len()
    }

    /// Appends the first `len` bytes of `buffer`, without copying.
    ///
    /// # Errors
    ///
    /// The buffer comes back if it is shorter, or if the packet has `MAX_SKB_FRAGS` fragments
    /// already.
    #[inline]
    pub fn append(&mut self, buffer: PoolBuffer, len: u32) -> Result<(), PoolBuffer> {
        if len > buffer.capacity() {
            return Err(buffer);
        }
        let (_, size) = buffer.fragment();
        // SAFETY: The packet is valid and made of fragments; this one is owned and has at least
        // `len` bytes.
        if !unsafe { bindings::skb_add_pp_frag(self.0.as_raw(), buffer.data(), len, size) } {
            return Err(buffer);
        }
        // The packet owns the fragment now.
        core::mem::forget(buffer);
        Ok(())
    }

    /// Hands the packet, which starts with an Ethernet header, to the stack.
    ///
    /// `header` is what the device says about it; it is checked against the packet.
    ///
    /// # Errors
    ///
    /// The packet comes back if it is shorter than an Ethernet header or if `header` contradicts
    /// it.
    #[inline]
    pub fn deliver(
        self,
        polling: &Polling<'_>,
        framing: &Framing,
        mut header: Header,
    ) -> Result<(), SkBuff> {
        let napi = polling.napi();
        if self.len() < crate::ETH_HLEN {
            return Err(self.0);
        }
        // SAFETY: The packet is valid, and the device of a NAPI context that is polling is
        // registered.
        let error = unsafe {
            bindings::virtio_net_hdr_to_skb(
                self.0.as_raw(),
                napi.dev(),
                header.as_raw(),
                framing.is_little_endian(),
            )
        };
        if error != 0 {
            return Err(self.0);
        }
        // SAFETY: As above. The linear part has an Ethernet header, since the first buffer has: the
        // packet is in softirq context, in the poll function of the NAPI context, and passes on.
        unsafe {
            bindings::napi_receive_eth(napi.as_raw(), self.0.into_raw().as_ptr(), napi.index())
        };
        Ok(())
    }

    /// Drops the packet. Any context.
    pub fn drop_with(self, reason: DropReason) {
        self.0.drop_with(reason);
    }
}
