// SPDX-License-Identifier: GPL-2.0

//! A packet that has been received into a chunk.

use super::{
    XskChunk,
    XskPool, //
};
use crate::{
    bindings,
    xdp::{
        decide,
        decide_chunks,
        ForProgram,
        Hash, //
    },
    HashType,
    Polling,
    PoolBuffer,
    Program,
    RxSkb,
    Verdict, //
};
use core::{
    mem::{
        offset_of,
        size_of,
        ManuallyDrop, //
    },
    ptr::NonNull,
    sync::atomic::{
        AtomicBool,
        Ordering::Relaxed, //
    },
};
use dma::Incoming;

/// A buffer of a pool (`struct xdp_buff_xsk`), as far as it concerns a driver. It begins as what all programs of a device are
/// run with.
#[repr(C)]
pub(super) struct Head {
    pub(super) raw: bindings::xdp_buff,
    hash: Hash,
    /// Whether a queue has let go of it, and the pool does not know yet.
    returned: AtomicBool,
}

// The rest of it is `cb`, of which the C helpers say that it has 16 bytes.
const _: () = {
    assert!(offset_of!(Head, hash) == size_of::<bindings::xdp_buff>());
    assert!(offset_of!(Head, returned) < size_of::<bindings::xdp_buff>() + 16);
};

impl Head {
    /// Notes that a queue has let go of a buffer. Any context.
    ///
    /// # Safety
    ///
    /// It is one of a pool that is open.
    pub(super) unsafe fn give_back(head: NonNull<Self>) {
        // SAFETY: By the requirement of this function.
        let returned = unsafe { &*core::ptr::addr_of!((*head.as_ptr()).returned) };
        returned.store(true, Relaxed);
    }

    /// Whether a queue has let go of a buffer since this was asked last.
    ///
    /// # Safety
    ///
    /// As for [`give_back`](Self::give_back).
    pub(super) unsafe fn take_returned(head: NonNull<Self>) -> bool {
        // SAFETY: By the requirement of this function.
        let returned = unsafe { &*core::ptr::addr_of!((*head.as_ptr()).returned) };
        returned.load(Relaxed) && returned.swap(false, Relaxed)
    }
}

/// A packet in a chunk of a pool, on its way through a program. It may go on in others.
///
/// One that is dropped goes back to its pool.
///
/// # Invariants
///
/// `head` is a buffer of the pool, which is owned, as is the queue of the pool. Its data lies in the chunk, with `lead` bytes in
/// front of where it starts. If `more` is not 0, the further chunks, that many at most, are in the list of the pool, else none is.
pub struct XskBuff<'poll> {
    head: NonNull<Head>,
    lead: u32,
    more: u32,
    /// Nobody else uses the pool meanwhile.
    pool: &'poll mut XskPool,
}

impl<'poll> XskBuff<'poll> {
    /// How many further chunks a packet can have.
    pub const MAX_MORE: u32 = bindings::MAX_SKB_FRAGS;

    /// The packet of `len` bytes in `head` that starts `back` bytes before the data of a buffer does, with `lead` bytes in front.
    ///
    /// # Safety
    ///
    /// `head` is a buffer of the pool, and owned. The chunk has `back + lead` bytes in front of the data, and `len - back` bytes
    /// of it. The caller owns the queue of the pool, for the lifetime.
    #[inline]
    pub(super) unsafe fn new(
        head: NonNull<Head>,
        back: u32,
        lead: u32,
        len: u32,
        pool: &'poll mut XskPool,
    ) -> Self {
        // SAFETY: By the requirement of this function.
        unsafe {
            bindings::xsk_buff_set_size(head.as_ptr().cast(), back, len);
            (*head.as_ptr()).hash = Hash::default();
        }
        // INVARIANT: By the requirement of this function.
        Self {
            head,
            lead,
            more: 0,
            pool,
        }
    }

    #[inline]
    fn as_raw(&self) -> *mut bindings::xdp_buff {
        self.head.as_ptr().cast()
    }

    /// The length of the packet in its first chunk, in bytes.
    #[inline]
    #[expect(clippy::len_without_is_empty)]
    pub fn len(&self) -> u32 {
        // SAFETY: By the type invariant.
        let (start, end) = unsafe { ((*self.as_raw()).data, (*self.as_raw()).data_end) };
        // CAST: A chunk is not longer.
        end.addr().wrapping_sub(start.addr()) as u32
    }

    /// Copies the first bytes that the device has written: those in front of the packet, and some of the packet.
    ///
    /// User space and the device may still write to them, so they are looked at in the copy. Returns `None` if there are fewer.
    #[inline]
    pub fn copy_start<const N: usize>(&self) -> Option<[u8; N]> {
        if N > (self.lead as usize).wrapping_add(self.len() as usize) {
            return None;
        }
        /// Read at once: a volatile array is read byte by byte.
        #[repr(C, packed)]
        struct Word(u64);

        let mut copy = [0; N];
        // SAFETY: By the type invariant the memory is there. It is user space's, which may change it meanwhile: any bytes will do.
        unsafe {
            let start = (*self.as_raw()).data.wrapping_byte_sub(self.lead as usize);
            let mut words = copy.chunks_exact_mut(size_of::<Word>());
            let mut from = start.cast::<Word>();
            for word in &mut words {
                word.copy_from_slice(&{ from.read_volatile().0 }.to_ne_bytes());
                from = from.add(1);
            }
            let mut from = from.cast::<u8>();
            for byte in words.into_remainder() {
                *byte = from.read_volatile();
                from = from.add(1);
            }
        }
        Some(copy)
    }

    /// Copies bytes of the packet from `skip` on to the start of `buffer`: as many as there are and fit. Returns how many.
    pub fn copy_to(&self, buffer: &mut PoolBuffer, skip: u32) -> u32 {
        let len = self.len().saturating_sub(skip).min(buffer.capacity());
        // SAFETY: By the type invariant the packet has these bytes; the fragment is owned, and has as many.
        unsafe {
            let from = (*self.as_raw()).data.wrapping_byte_add(skip as usize);
            core::ptr::copy_nonoverlapping(
                from.cast::<u8>(),
                buffer.data().cast::<u8>(),
                len as usize,
            );
        }
        len
    }

    /// Whether a packet may have several chunks: user space has said that it takes such (`XDP_USE_SG`).
    #[inline]
    pub fn may_go_on(&self) -> bool {
        self.pool.max_chunks() > 1
    }

    /// Has the packet go on in `chunk`, to which the device has written `written` bytes. Returns whether it does: if the length is none
    /// that can be, if there are as many chunks as there can be, or if user space does not take such packets, the chunk goes back.
    /// Nor does it if user space has passed the chunk twice.
    pub fn append(&mut self, polling: &Polling<'_>, chunk: XskChunk, written: u32) -> bool {
        let fits = written != 0 && written <= chunk.capacity() && self.more < Self::MAX_MORE;
        let part = self.pool.head_of(polling.owner(), &chunk);
        let Some(part) = part.filter(|_| fits && self.may_go_on()) else {
            self.pool.free(polling.owner(), chunk);
            return false;
        };
        let (lead, part) = (self.pool.lead(), part.as_ptr().cast());
        // SAFETY: By the type invariant; the other one is a buffer of the same pool, and has that many bytes. This is the poll function
        // of the queue. The number is below that of the fragments that there is room for.
        let added = unsafe {
            bindings::xsk_buff_add_frag_at(self.as_raw(), part, self.more, lead, written)
        };
        // INVARIANT: It is in the list if it has been added. If not, it is a part of the packet, or not owned by anybody.
        self.more = self.more.wrapping_add(added.into());
        added
    }

    /// Takes the next of the chunks that the packet goes on in.
    pub fn next_part(&mut self) -> Option<XskBuff<'_>> {
        self.more = self.more.checked_sub(1)?;
        // SAFETY: By the type invariant.
        let part = NonNull::new(unsafe { bindings::xsk_buff_get_frag(self.as_raw()) })?;
        // INVARIANT: It is in the list no longer.
        Some(XskBuff {
            head: part.cast(),
            lead: 0,
            more: 0,
            pool: &mut *self.pool,
        })
    }

    /// The chunk that the packet is in, as it was before it was [received](XskPool::receive) into. If there are further ones, they go back.
    pub fn into_chunk(mut self) -> XskChunk {
        while self.next_part().is_some() {}
        let packet = ManuallyDrop::new(self);
        // SAFETY: By the type invariant it is a buffer of the pool.
        unsafe { XskChunk::new(packet.head, packet.pool.kind()) }
    }

    /// Has `program` decide. The stack is told of what it has failed at (`xdp_exception`).
    ///
    /// A packet that goes to a socket of the pool takes its chunks with it. What is sent elsewhere is a copy, and in one chunk: others
    /// are dropped.
    // Always, as what has just been made of a chunk is in registers.
    #[inline(always)]
    pub fn run(self, program: &Program<'_>, polling: &'poll Polling<'_>) -> Verdict<Self> {
        // SAFETY: By the type invariant; what becomes of the buffer is what is done with it here. Of one that could not be
        // redirected the stack may have disposed already, which can be done again.
        let verdict = unsafe {
            if self.more == 0 {
                decide(self.as_raw(), program, polling)
            } else {
                decide_chunks(self.as_raw(), program, polling)
            }
        };
        verdict.about(self)
    }

    /// Makes a packet for the stack of the first chunk: a copy, with what the program has put in front of it (`bpf_xdp_adjust_meta`). None if
    /// there is no memory.
    #[inline]
    pub fn to_skb(&self, polling: &Polling<'_>) -> Option<RxSkb> {
        // SAFETY: By the type invariant. The poll function of the context is running.
        unsafe {
            let napi = polling.napi().as_raw();
            RxSkb::new(bindings::napi_copy_xsk_skb(napi, self.as_raw()))
        }
    }
}

impl ForProgram for XskBuff<'_> {
    #[inline]
    fn set_hash(&mut self, value: u32, kind: HashType) {
        // SAFETY: By the type invariant.
        unsafe { (*self.head.as_ptr()).hash = Hash::of(value, kind) };
    }
}

impl Drop for XskBuff<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::xsk_buff_free(self.as_raw()) }
    }
}
