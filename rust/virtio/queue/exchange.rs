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
    mem::MaybeUninit,
    ptr::NonNull, //
};
use kernel::{
    alloc::flags::*,
    prelude::*, //
};

/// What the device has said before it has said anything: of no command is this the end that its sender wants.
const UNANSWERED: u8 = 0xff;

/// How many bytes an answer begins with that say how it ended. They are in a segment of their own.
const STATUS: usize = 1;

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

/// A request, which the device reads, and room for the answer, which it writes: a byte that says how it
/// ended, and what else there is to say.
///
/// What the device does not write reads as 0xff of that byte and as 0 of all others, whatever length it says
/// that its answer has.
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
pub struct Answered {
    exchange: Exchange,
    written: u32,
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

    /// An exchange of this request for the byte that says how it ended and up to `room` bytes besides.
    /// Process context. May sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there are more segments than [`REQUEST_SEGMENTS`](Self::REQUEST_SEGMENTS), or if
    /// nothing is to be sent; `ENOMEM`.
    pub fn new(mut request: Message, room: usize) -> Result<Self> {
        request.end_segment()?;
        if request.segments == 0 {
            return Err(EINVAL);
        }
        let mut answer = KVec::from_elem(UNANSWERED, STATUS, GFP_KERNEL)?;
        answer.extend_with(room, 0, GFP_KERNEL)?;
        Ok(Self(KBox::new(Memory { request, answer }, GFP_KERNEL)?))
    }

    fn into_token(self) -> NonNull<c_void> {
        NonNull::from(KBox::leak(self.0)).cast()
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
    type Source = ();

    const CONTEXT: bool = false;
    const SEGMENTS: usize = 0;

    unsafe fn release(token: NonNull<c_void>) {
        // SAFETY: By the requirements of this function.
        drop(unsafe { Self::from_token(token) });
    }

    unsafe fn abandon(_token: NonNull<c_void>) {
        // The box stays where it is.
    }
}

impl Answered {
    /// How many bytes the device says it has written. It may say anything, and no more depends on it than
    /// what is said of the device.
    pub fn written(&self) -> u32 {
        self.written
    }

    /// How many bytes there was room for, with the first one.
    pub fn room(&self) -> usize {
        self.exchange.0.answer.len()
    }

    /// The byte that says how it ended.
    pub fn status(&self) -> u8 {
        let mut status = [UNANSWERED];
        self.copy(0, &mut status);
        let [status] = status;
        status
    }

    /// Copies out what is behind that byte, as much as there was room for and fits into `to`.
    pub fn body(&self, to: &mut [u8]) {
        self.copy(STATUS, to);
    }

    fn copy(&self, start: usize, to: &mut [u8]) {
        let answer = &self.exchange.0.answer;
        let start = start.min(answer.len());
        let len = (answer.len() - start).min(to.len());
        // SAFETY: `start + len` is not more than the length of the vector. Its bytes are plain ones, of which
        // a device without an IOMMU may change any at any time; so there is no reference to them.
        unsafe {
            let from = answer.as_ptr().add(start);
            to.as_mut_ptr().copy_from_nonoverlapping(from, len);
        }
    }
}

impl Virtqueue<Exchange> {
    /// Lends an exchange to the device. [`kick`](Self::kick) is owed afterwards.
    ///
    /// Process context. May sleep, for memory: so it must not be called with a spinlock held, or in an
    /// RCU read-side section.
    ///
    /// # Errors
    ///
    /// The exchange comes back: see [`Rejected`].
    pub fn ask(&mut self, exchange: Exchange) -> Result<(), Rejected<Exchange>> {
        let memory = &*exchange.0;
        let request = &memory.request;
        let segments = request.segments;
        // CAST: No vector is longer than `u32::MAX`: `kmalloc()` has less.
        let room = (memory.answer.len() - STATUS) as u32;
        if segments + if room == 0 { 1 } else { 2 } > self.max_segments() {
            return Err(Rejected {
                buffer: exchange,
                error: EMSGSIZE,
            });
        }
        let mut table = [bindings::scatterlist::default(); Exchange::REQUEST_SEGMENTS + 2];
        let entries = table.as_mut_ptr();
        let mut start = 0;
        // SAFETY: The table has two entries more than a request can have. Each is set to bytes of the
        // vectors, of which that of the answer has `STATUS` and `room` bytes, and the last of each direction
        // is marked as the end.
        let mut lists = unsafe {
            bindings::sg_init_table(entries, segments as u32);
            for (i, &end) in request.ends.iter().take(segments).enumerate() {
                let from = request.bytes.as_ptr().add(start).cast();
                bindings::sg_set_buf(entries.add(i), from, (end - start) as u32);
                start = end;
            }
            let answer = entries.add(segments);
            let status = memory.answer.as_ptr();
            bindings::sg_init_table(answer, if room == 0 { 1 } else { 2 });
            bindings::sg_set_buf(answer, status.cast(), STATUS as u32);
            if room != 0 {
                bindings::sg_set_buf(answer.add(1), status.add(STATUS).cast(), room);
            }
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
    pub fn answered(&mut self) -> Option<Answered> {
        let (mut written, mut context) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        let token = self.next_used(&mut written, &mut context)?;
        // SAFETY: By the type invariant the token comes from an `Exchange`. The core hands it out
        // once, after the device has used it, and has said how much is written.
        let (exchange, written) = unsafe { (Exchange::from_token(token), written.assume_init()) };
        Some(Answered { exchange, written })
    }
}
