// SPDX-License-Identifier: GPL-2.0

//! Buffers that hold a request to the device and room for its answer, as a control queue wants
//! them.

use super::{
    check,
    Buffer,
    Rejected,
    Virtqueue, //
};
use crate::{
    bindings,
    Device, //
};
use core::{
    ffi::c_void,
    ptr::{
        null_mut,
        NonNull, //
    },
};
use kernel::{
    alloc::flags::*,
    prelude::*, //
};

/// What an answer is filled with before the device writes to it.
const UNANSWERED: u8 = 0xff;

/// A request that is being put together.
///
/// Numbers are in the order of bytes that the device wants: little-endian, but that of the guest for
/// a legacy device.
pub struct Message {
    bytes: KVec<u8>,
    /// Where the segments end.
    ends: [usize; Exchange::REQUEST_SEGMENTS],
    segments: usize,
    little_endian: bool,
}

/// A request, which the device reads, and room for the answer, which it writes.
///
/// The memory is allocated for one exchange, so it can stay with the device for as long as that
/// takes: whoever waits for the answer may give up, and leaves it to its [`Virtqueue`].
pub struct Exchange(KBox<Memory>);

/// The two directions have memory of their own: they never share a cache line.
struct Memory {
    request: Message,
    /// Not accessed through a reference, as the device may still write to it.
    answer: KVec<u8>,
}

/// An [`Exchange`] that the device has given back.
///
/// # Invariants
///
/// `written` is not more than the length of the answer.
pub struct Answered {
    exchange: Exchange,
    written: usize,
}

impl Message {
    /// An empty one, for `device`.
    pub fn new(device: &Device) -> Self {
        Self {
            bytes: KVec::new(),
            ends: [0; Exchange::REQUEST_SEGMENTS],
            segments: 0,
            little_endian: device.is_little_endian(),
        }
    }

    /// Makes room for so many more bytes, so that they can be added one by one at no cost. A shortage
    /// of memory is not reported in the log. Process context. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn reserve(&mut self, bytes: usize) -> Result {
        Ok(self.bytes.reserve(bytes, GFP_KERNEL | __GFP_NOWARN)?)
    }

    /// Adds bytes. Process context. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result {
        Ok(self.bytes.extend_from_slice(bytes, GFP_KERNEL)?)
    }

    /// Adds a number of 8 bits, see [`bytes`](Self::bytes).
    pub fn u8(&mut self, value: u8) -> Result {
        self.bytes(&[value])
    }

    /// Adds a number of 16 bits, see [`bytes`](Self::bytes).
    pub fn u16(&mut self, value: u16) -> Result {
        self.number(value.to_le_bytes())
    }

    /// Adds a number of 32 bits, see [`bytes`](Self::bytes).
    pub fn u32(&mut self, value: u32) -> Result {
        self.number(value.to_le_bytes())
    }

    /// Adds a number of 64 bits, see [`bytes`](Self::bytes).
    pub fn u64(&mut self, value: u64) -> Result {
        self.number(value.to_le_bytes())
    }

    fn number<const N: usize>(&mut self, mut bytes: [u8; N]) -> Result {
        if !self.little_endian {
            bytes.reverse();
        }
        self.bytes(&bytes)
    }

    /// Ends a segment, if anything has been added to it: what follows gets a descriptor of its own,
    /// which is what legacy devices are particular about (virtio 1.3, section 5.1.6.5.1). The last
    /// segment ends by itself.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there are more than [`REQUEST_SEGMENTS`](Exchange::REQUEST_SEGMENTS).
    pub fn end_segment(&mut self) -> Result {
        let start = self
            .segments
            .checked_sub(1)
            .map_or(0, |last| self.ends[last]);
        if self.bytes.len() > start {
            *self.ends.get_mut(self.segments).ok_or(EINVAL)? = self.bytes.len();
            self.segments += 1;
        }
        Ok(())
    }
}

impl Exchange {
    /// The largest number of segments of a request.
    pub const REQUEST_SEGMENTS: usize = 4;

    /// An exchange of this request for up to `answer` bytes. Process context. May sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there are more segments than [`REQUEST_SEGMENTS`](Self::REQUEST_SEGMENTS), or if
    /// nothing is to be sent or answered; `ENOMEM`.
    pub fn new(mut request: Message, answer: usize) -> Result<Self> {
        request.end_segment()?;
        if request.segments == 0 || answer == 0 {
            return Err(EINVAL);
        }
        let answer = KVec::from_elem(UNANSWERED, answer, GFP_KERNEL)?;
        Ok(Self(KBox::new(Memory { request, answer }, GFP_KERNEL)?))
    }

    fn into_token(self) -> NonNull<c_void> {
        // SAFETY: `KBox::into_raw` does not return null.
        unsafe { NonNull::new_unchecked(KBox::into_raw(self.0)) }.cast()
    }

    /// # Safety
    ///
    /// `token` comes from [`into_token`](Self::into_token), and is used once.
    unsafe fn from_token(token: NonNull<c_void>) -> Self {
        // SAFETY: By the requirement of this function.
        Self(unsafe { KBox::from_raw(token.cast().as_ptr()) })
    }
}

// SAFETY: `release` undoes `into_token`. The vectors stay allocated and are not touched while the
// box is a token. They are linearly mapped, so there is no mapping that could go.
unsafe impl Buffer for Exchange {
    const CONTEXT: bool = false;
    const SEGMENTS: usize = 0;

    unsafe fn release(token: NonNull<c_void>) {
        // SAFETY: By the requirements of this function.
        drop(unsafe { Self::from_token(token) });
    }
}

impl Answered {
    /// The number of bytes that the device says it has written, up to the room that there is.
    pub fn written(&self) -> usize {
        self.written
    }

    /// Copies the answer out from byte `start` on, as much as has been written and fits into `to`.
    /// Returns how many bytes that are.
    pub fn copy(&self, start: usize, to: &mut [u8]) -> usize {
        let start = start.min(self.written);
        let len = (self.written - start).min(to.len());
        // SAFETY: By the type invariant `written` bytes can be read, and `start + len` is not more.
        // They are plain bytes, of which a device without an IOMMU may change any at any time; so
        // there is no reference to them.
        unsafe {
            let from = self.exchange.0.answer.as_ptr().add(start);
            to.as_mut_ptr().copy_from_nonoverlapping(from, len);
        }
        len
    }
}

impl Virtqueue<Exchange> {
    /// Lends an exchange to the device. [`kick`](Self::kick) is owed afterwards.
    ///
    /// # Errors
    ///
    /// The exchange comes back: see [`Rejected`].
    pub fn ask(&mut self, exchange: Exchange) -> Result<(), Rejected<Exchange>> {
        let memory = &*exchange.0;
        let request = &memory.request;
        let (segments, answer_len) = (request.segments, memory.answer.len());
        // CAST: No vector is longer than `u32::MAX`: `kmalloc()` has less.
        let answer_len = answer_len as u32;
        let mut table = [bindings::scatterlist::default(); Exchange::REQUEST_SEGMENTS + 1];
        let entries = table.as_mut_ptr();
        let mut start = 0;
        // SAFETY: The table has one entry more than a request can have. Each is set to bytes of the
        // vectors, and the last of each direction is marked as the end.
        let mut lists = unsafe {
            bindings::sg_init_table(entries, segments as u32);
            for (i, &end) in request.ends.iter().take(segments).enumerate() {
                let from = request.bytes.as_ptr().add(start).cast();
                bindings::sg_set_buf(entries.add(i), from, (end - start) as u32);
                start = end;
            }
            let answer = entries.add(segments);
            bindings::sg_init_one(answer, memory.answer.as_ptr().cast(), answer_len);
            [entries, answer]
        };
        let token = exchange.into_token();
        // SAFETY: By the type invariant; `&mut self` serialises. The lists describe memory that
        // stays until the token comes back.
        let added = check(unsafe {
            bindings::virtqueue_add_sgs(
                self.raw.as_ptr(),
                lists.as_mut_ptr(),
                1,
                1,
                token.as_ptr(),
                bindings::GFP_KERNEL,
            )
        });
        added.map_err(|error| Rejected {
            // SAFETY: The core did not take the token.
            buffer: unsafe { Exchange::from_token(token) },
            error,
        })
    }

    /// Takes back the next exchange that the device has answered.
    ///
    /// # Errors
    ///
    /// The number of bytes that the device says it has written, if there is no room for so many:
    /// nothing of the answer can be trusted.
    pub fn answered(&mut self) -> Option<Result<Answered, u32>> {
        let (mut written, mut context) = (0, null_mut());
        let token = self.next_used(&mut written, &mut context)?;
        // SAFETY: By the type invariant the token comes from an `Exchange`. The core hands it out
        // once, after the device has used it.
        let exchange = unsafe { Exchange::from_token(token) };
        if written as usize > exchange.0.answer.len() {
            return Some(Err(written));
        }
        // INVARIANT: It has just been compared.
        Some(Ok(Answered {
            exchange,
            written: written as usize,
        }))
    }
}
