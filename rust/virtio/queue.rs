// SPDX-License-Identifier: GPL-2.0

//! Virtqueues, and the buffers that are lent to the device through them.
//!
//! # Lending
//!
//! A buffer is *moved* into a [`Virtqueue`]. From then on the queue owns it, in the form of the
//! token that the virtio core keeps for the descriptor chain (in the guest's memory, where the
//! device cannot write). The buffer comes back by value in one of four ways, and only once,
//! because the core forgets a token as it hands it out:
//!
//! - the device has used it: [`Virtqueue::pop`] or [`Virtqueue::reclaim`];
//! - it could not be added: [`Rejected`];
//! - the queue is resized: it is reset first, then each buffer that is still lent is released;
//! - the queue is dropped: the device is reset first, then each buffer that is still lent is
//!   released.
//!
//! So driver code can neither read, nor free, nor lend again what the device may access: it has no
//! value to do that with. It costs nothing: a token is the pointer that C passes as well, and there
//! is no allocation, lock or count per buffer. What the device says about a buffer is checked: the
//! core takes only the number of a chain that is lent, and a length is bounded by what was lent.
//!
//! Which memory belongs to a buffer is said by the buffer's type, in an implementation of
//! [`Outgoing`] or [`Incoming`]. These traits are `unsafe` to implement and safe to use. What goes
//! both ways, a request and its answer, is an [`Exchange`].

mod exchange;
mod find;
mod request;
mod resize;
mod set;
pub mod sg;
mod vectors;
mod virtqueue;

use self::virtqueue::check;

pub use self::{
    exchange::{
        Answered,
        Exchange,
        Message, //
    },
    find::{
        find,
        Found, //
    },
    request::{
        Name,
        Request, //
    },
    resize::Resized,
    vectors::{
        Irq,
        Vectors, //
    },
    virtqueue::{
        Armed,
        Callback,
        Interrupted,
        Overrun,
        Rejected,
        Virtqueue, //
    },
};

use core::{
    ffi::c_void,
    ptr::NonNull, //
};
use kernel::prelude::*;

/// A buffer that can be lent to the device and is told apart by a pointer.
///
/// # Safety
///
/// - [`release`](Self::release) undoes the conversion to a token.
/// - From that conversion on, until [`release`](Self::release) or the matching function of the
///   sub-trait, the memory that the buffer describes stays allocated and mapped, and nothing but
///   the device accesses it in a way that would be a data race with what the device does.
pub unsafe trait Buffer: Sized + Send {
    /// Whether the buffer wants a word of its own kept beside the token.
    const CONTEXT: bool;

    /// How many entries of the queue's [`sg::Table`] are needed for it at most; 0 for one that needs
    /// none, as a [`Contiguous`] buffer.
    const SEGMENTS: usize;

    /// Takes back a buffer that the device has not used, and disposes of it.
    ///
    /// # Safety
    ///
    /// `token` comes from this type's conversion to a token, is used once, and the device has no
    /// access to the buffer any more.
    unsafe fn release(token: NonNull<c_void>);
}

/// A buffer that the device reads.
///
/// # Safety
///
/// See [`Buffer`]. [`reclaim`](Self::reclaim) undoes [`into_token`](Self::into_token), and
/// [`map`](Self::map) describes only memory that is covered by the requirements of [`Buffer`].
pub unsafe trait Outgoing: Buffer {
    /// What comes back when the device has read the buffer.
    type Returned;

    /// Describes the memory to lend.
    ///
    /// # Errors
    ///
    /// The buffer cannot be described in [`Buffer::SEGMENTS`] segments.
    fn map(&self, table: &mut sg::Table) -> Result<sg::Mapped>;

    /// Gives up the buffer for a token.
    fn into_token(self) -> NonNull<c_void>;

    /// Takes back a buffer that the device has read.
    ///
    /// # Safety
    ///
    /// As for [`Buffer::release`].
    unsafe fn reclaim(token: NonNull<c_void>) -> Self::Returned;
}

/// A buffer that the device writes to.
///
/// # Safety
///
/// See [`Buffer`]. [`reclaim`](Self::reclaim) undoes [`into_token`](Self::into_token), whose word
/// of context is null unless [`Buffer::CONTEXT`]. Where [`is_mapped_for`](Self::is_mapped_for) says so, the memory of the buffer is mapped for that
/// device.
pub unsafe trait Incoming: Buffer {
    /// The number of bytes that the device may write.
    fn capacity(&self) -> u32;

    /// Whether the buffer is mapped for DMA by `device`; for null: whether it is not mapped at all.
    fn is_mapped_for(&self, device: *const kernel::bindings::device) -> bool;

    /// Gives up the buffer for a token and a word of context: null unless [`Buffer::CONTEXT`].
    fn into_token(self) -> (NonNull<c_void>, *mut c_void);

    /// Takes back a buffer to which the device says it has written `written` bytes, and makes up to
    /// that many (and not more than there are) visible to the CPU.
    ///
    /// # Safety
    ///
    /// As for [`Buffer::release`]; `context` is the word that came with `token`.
    unsafe fn reclaim(token: NonNull<c_void>, context: *mut c_void, written: u32) -> Self;
}

/// An [`Incoming`] buffer of one segment, which starts at its token.
///
/// # Safety
///
/// The buffer owns [`capacity`](Incoming::capacity) bytes from its token on, which lie in one page
/// (of any order). Where the buffer is mapped for a device, this page belongs to the page_pool that
/// has mapped it.
pub unsafe trait Contiguous: Incoming {}

/// An [`Incoming`] buffer of several segments.
///
/// # Safety
///
/// [`map`](Self::map) describes only memory that is covered by the requirements of [`Buffer`], and
/// no more bytes of it than [`capacity`](Incoming::capacity) says.
pub unsafe trait Scattered: Incoming {
    /// Describes the memory to lend: by DMA addresses if the buffer is mapped for a device, else by
    /// pages.
    ///
    /// # Errors
    ///
    /// The buffer cannot be described in [`Buffer::SEGMENTS`] segments, or it lacks a part.
    fn map(&self, table: &mut sg::Table) -> Result<sg::Mapped>;
}
