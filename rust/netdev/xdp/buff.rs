// SPDX-License-Identifier: GPL-2.0

//! A received packet on its way through a program.

use super::{
    metadata::{
        ForProgram,
        Hash,
        HashType, //
    },
    program::decide,
    Program,
    Verdict, //
};
use crate::{
    bindings,
    PagePool,
    Polling,
    PoolBuffer,
    PoolPage,
    RxSkb, //
};
use core::{
    ffi::c_void,
    marker::PhantomData,
    mem::ManuallyDrop, //
};

/// Room for what is known of a packet while a program has it: see [`XdpBuff::new`].
///
/// It serves one packet after the other.
pub struct XdpRoom(Buff);

/// What a program is run with.
#[repr(C)]
pub(super) struct Buff {
    raw: bindings::xdp_buff,
    pub(super) hash: Hash,
}

impl XdpRoom {
    /// Room for a packet.
    #[inline]
    pub fn new() -> Self {
        Self(Buff {
            raw: bindings::xdp_buff::default(),
            hash: Hash::default(),
        })
    }
}

impl Default for XdpRoom {
    fn default() -> Self {
        Self::new()
    }
}

/// A received packet on its way through a program, in its first buffer and fragments.
///
/// One that is dropped goes back to its pool.
///
/// # Invariants
///
/// - `inner` is a buffer in a page_pool fragment of `frame_sz` bytes, which is owned; its data lies between the start of that
///   and the room for `struct skb_shared_info` at its end. Its fragments are owned, and belong to `pool`, whose NAPI context is
///   being polled for the lifetime.
pub struct XdpBuff<'poll> {
    inner: &'poll mut Buff,
    pool: &'poll PagePool,
    /// It does not leave the poll function.
    not_send: PhantomData<*mut ()>,
}

impl<'poll> XdpBuff<'poll> {
    /// The packet of `len` bytes that start `skip` bytes into `buffer`, where it is.
    ///
    /// # Errors
    ///
    /// The buffer comes back if it is shorter, if there is less room in front than a program may ask for, or if `polling` is not
    /// of the queue of `pool`.
    #[inline]
    pub fn new(
        room: &'poll mut XdpRoom,
        polling: &'poll Polling<'_>,
        pool: &'poll PagePool,
        buffer: PoolBuffer,
        skip: u32,
        len: u32,
    ) -> Result<Self, PoolBuffer> {
        let (start, size) = buffer.fragment();
        let headroom = buffer.headroom().wrapping_add(skip);
        if buffer.part(skip, len).is_none()
            || !buffer.suits_program(skip)
            || !pool.is_owned_by(polling.owner())
        {
            return Err(buffer);
        }
        let inner = &mut room.0;
        inner.hash = Hash::default();
        // SAFETY: The fragment is owned, and has room for all of that, and for `struct skb_shared_info`. The queue's information is
        // that of the pool, which outlives the value.
        unsafe {
            bindings::xdp_buff_init(&mut inner.raw, pool.rxq_info(), start, size, headroom, len);
        }
        core::mem::forget(buffer);
        // INVARIANT: It has just been made so.
        Ok(Self {
            inner,
            pool,
            not_send: PhantomData,
        })
    }

    /// An empty packet in a new buffer, with room for [`PoolBuffer::XDP_CAPACITY`] bytes. None if there is no memory, or if
    /// `polling` is not of the queue of `pool`.
    pub fn empty(
        room: &'poll mut XdpRoom,
        polling: &'poll Polling<'_>,
        pool: &'poll mut PagePool,
    ) -> Option<Self> {
        let buffer = pool.alloc_for_program(polling.owner())?;
        Self::new(room, polling, pool, buffer.into(), 0, 0).ok()
    }

    /// How many bytes can be [copied](Self::copy) behind the data.
    pub fn room(&self) -> u32 {
        // CAST: By the type invariant the data ends in the fragment, in front of that room.
        let raw = &self.inner.raw;
        let used = raw.data_end.addr().wrapping_sub(raw.data_hard_start.addr()) as u32;
        // SAFETY: All variants of the union are integers.
        let size = unsafe { raw.__bindgen_anon_1.__bindgen_anon_1.frame_sz };
        size.wrapping_sub(crate::page_pool::TAILROOM)
            .saturating_sub(used)
    }

    /// Copies `len` bytes that start `skip` bytes into `buffer` behind the data. Returns whether they are there and fit, and the
    /// packet has no fragments yet.
    pub fn copy(&mut self, buffer: &PoolBuffer, skip: u32, len: u32) -> bool {
        match buffer.part(skip, len) {
            // SAFETY: The other buffer has these bytes.
            Some(from) => unsafe { self.copy_raw(from, len) },
            None => false,
        }
    }

    /// As [`copy`](Self::copy), from the start of `page`.
    pub(crate) fn copy_page(&mut self, page: &PoolPage, len: u32) -> bool {
        // SAFETY: The page has these bytes.
        len <= PoolPage::CAPACITY && unsafe { self.copy_raw(page.data(), len) }
    }

    /// Copies `len` bytes at `from` behind the data. Returns whether they fit, and the packet has no fragments yet.
    ///
    /// # Safety
    ///
    /// They are valid for reads, and not a part of this packet.
    unsafe fn copy_raw(&mut self, from: *const c_void, len: u32) -> bool {
        if len > self.room() || self.has_frags() {
            return false;
        }
        // SAFETY: By the requirement of this function; there is room for them.
        unsafe {
            core::ptr::copy_nonoverlapping(
                from.cast::<u8>(),
                self.inner.raw.data_end.cast(),
                len as usize,
            );
        }
        // INVARIANT: It ends in front of the room for `struct skb_shared_info`.
        self.inner.raw.data_end = self.inner.raw.data_end.wrapping_byte_add(len as usize);
        true
    }

    /// Appends `len` bytes that start `skip` bytes into `buffer`, without copying.
    ///
    /// # Errors
    ///
    /// The buffer comes back if it is shorter, if it is of another pool, or if there are as many fragments as there can be.
    #[inline]
    pub fn append(&mut self, buffer: PoolBuffer, skip: u32, len: u32) -> Result<(), PoolBuffer> {
        let (_, size) = buffer.fragment();
        let Some(data) = buffer.part(skip, len).filter(|_| self.pool.has(&buffer)) else {
            return Err(buffer);
        };
        // SAFETY: The fragment is owned and has these bytes, and there is room for `struct skb_shared_info`.
        if !unsafe { bindings::xdp_buff_add_va(&mut self.inner.raw, data, len, size) } {
            return Err(buffer);
        }
        // INVARIANT: It belongs to the pool.
        core::mem::forget(buffer);
        Ok(())
    }

    fn has_frags(&self) -> bool {
        // SAFETY: All variants of the union are integers.
        let flags = unsafe { self.inner.raw.__bindgen_anon_1.__bindgen_anon_1.flags };
        flags & bindings::xdp_buff_flags_XDP_FLAGS_HAS_FRAGS != 0
    }

    /// Has `program` decide. The stack is told of what it has failed at (`xdp_exception`).
    #[inline(always)]
    pub fn run(self, program: &Program<'_>, polling: &'poll Polling<'_>) -> Verdict<Self> {
        // SAFETY: By the type invariant; what becomes of the buffer is what is done with it here.
        let verdict = unsafe { decide(&mut self.inner.raw, program, polling) };
        verdict.about(self)
    }

    /// Makes a packet for the stack, with what the program has put in front of it (`bpf_xdp_adjust_meta`). None if there is
    /// no memory.
    #[inline]
    pub fn into_skb(self, _polling: &Polling<'_>) -> Option<RxSkb> {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: By the type invariant. `napi_build_skb` is called in softirq context, as `_polling` shows.
        let skb = unsafe { RxSkb::new(bindings::napi_build_xdp_skb(&mut this.inner.raw)) };
        if skb.is_none() {
            drop(ManuallyDrop::into_inner(this));
        }
        skb
    }
}

impl ForProgram for XdpBuff<'_> {
    #[inline]
    fn set_hash(&mut self, value: u32, kind: HashType) {
        self.inner.hash = Hash::of(value, kind);
    }
}

impl Drop for XdpBuff<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe {
            bindings::xdp_buff_put_frags(&mut self.inner.raw);
            bindings::page_pool_put_va(self.inner.raw.data_hard_start);
        }
    }
}
