// SPDX-License-Identifier: GPL-2.0

//! What a device does DMA to: memory that is lent to it.
//!
//! This is the ground that the abstractions of buses and those of device classes have in common. A queue of a bus takes
//! what is a [`Buffer`]; a device class implements that for what it has, such as the buffers of a page_pool. Neither
//! knows the other.
//!
//! A buffer that is lent is a token, from its conversion until the queue gives it back. What it belongs to, its
//! [`Source`], is held by the queue meanwhile, so that the memory stays mapped.
//!
//! C headers: [`include/linux/dma-mapping.h`](srctree/include/linux/dma-mapping.h),
//! [`include/linux/scatterlist.h`](srctree/include/linux/scatterlist.h)

/// What log lines of this crate begin with; each crate needs one.
const __LOG_PREFIX: &[u8] = b"dma_rust\0";

use netdev_bindings as bindings;

mod attached;
mod device;
pub mod fault;
pub mod sg;

pub use self::attached::{
    Anchor,
    Attached, //
};
pub use self::device::{
    DmaDevice,
    HeldDmaDevice, //
};

use core::{
    ffi::c_void,
    ptr::NonNull, //
};
use kernel::prelude::*;

/// What buffers belong to, a page_pool for instance.
///
/// # Safety
///
/// As long as the value exists, the memory of its buffers is mapped for DMA by [`dma_device`](Self::dma_device), which
/// does not change; or, if that is null, is ordinary memory of the guest.
pub unsafe trait Source: Send {
    /// The device that the memory is mapped for, or null.
    fn dma_device(&self) -> *const kernel::bindings::device;
}

/// A buffer that can be lent to the device and is told apart by a pointer.
///
/// # Safety
///
/// - [`release`](Self::release) undoes the conversion to a token.
/// - From that conversion on, until [`release`](Self::release) or the matching function of the
///   sub-trait, the memory that the buffer describes stays allocated and mapped, and nothing but
///   the device accesses it in a way that would be a data race with what the device does.
pub unsafe trait Buffer: Sized + Send {
    /// What the memory of such buffers belongs to, and what keeps it mapped: a queue holds it while buffers are lent
    /// through it. `()` where each buffer owns its memory.
    type Source: Send;

    /// Whether the buffer wants a word of its own kept beside the token.
    const CONTEXT: bool;

    /// How many entries of the queue's [`sg::Table`] are needed for it at most; 0 for one that needs
    /// none, as a [`Placed`] buffer.
    const SEGMENTS: usize;

    /// Takes back a buffer that the device has not used, and disposes of it.
    ///
    /// # Safety
    ///
    /// `token` comes from this type's conversion to a token, is used once, and the device has no
    /// access to the buffer any more.
    unsafe fn release(token: NonNull<c_void>);

    /// As [`release`](Self::release) of a buffer that the device may still access: the memory that it may write to is never
    /// used for anything else.
    ///
    /// # Safety
    ///
    /// `token` comes from this type's conversion to a token, and is used once.
    unsafe fn abandon(token: NonNull<c_void>);
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
/// of context is null unless [`Buffer::CONTEXT`]. Where [`is_of`](Self::is_of) says so, the memory of the buffer is a
/// part of that source.
pub unsafe trait Incoming: Buffer<Source: Source> {
    /// The number of bytes that the device may write.
    fn capacity(&self) -> u32;

    /// Whether the buffer belongs to `source`.
    fn is_of(&self, source: &Self::Source) -> bool;

    /// Gives up the buffer for a token and a word of context: null unless [`Buffer::CONTEXT`].
    fn into_token(self) -> (NonNull<c_void>, *mut c_void);

    /// Takes back a buffer.
    ///
    /// # Safety
    ///
    /// As for [`Buffer::release`]; `context` is the word that came with `token`.
    unsafe fn reclaim(token: NonNull<c_void>, context: *mut c_void) -> Self;

    /// Makes up to `written` bytes from the start on (and not more than there are) visible to the CPU: the device says that it has
    /// written so many. Nothing if the buffer has to be of `source` for that, and is not.
    fn sync_for_cpu(&self, source: &Self::Source, written: u32);
}

/// An [`Incoming`] buffer of one segment, of the type `B`, and the page that it lies in: whoever has just made it knows that, and
/// it takes some time to find it by the address.
///
/// # Safety
///
/// The buffer that [`into_buffer`](Self::into_buffer) makes belongs to the source where [`is_of`](Self::is_of) says so. It owns
/// [`capacity`](Incoming::capacity) bytes from its token on, which lie in [`page`](Self::page), a page of order 0. Where its source is
/// mapped for a device, this page belongs to a page_pool, which has mapped it.
pub unsafe trait Placed<B: Incoming> {
    /// Whether the buffer belongs to `source`.
    fn is_of(&self, source: &B::Source) -> bool;

    /// The page that it lies in.
    fn page(&self) -> *mut bindings::page;

    /// The buffer.
    fn into_buffer(self) -> B;
}

/// An [`Incoming`] buffer of several segments.
///
/// # Safety
///
/// [`map`](Self::map) describes only memory that is covered by the requirements of [`Buffer`], and
/// no more bytes of it than [`capacity`](Incoming::capacity) says.
pub unsafe trait Scattered: Incoming {
    /// Describes the memory to lend: by DMA addresses if the source is mapped for a device, else by pages.
    ///
    /// # Errors
    ///
    /// The buffer cannot be described in [`Buffer::SEGMENTS`] segments, or it lacks a part.
    fn map(&self, table: &mut sg::Table) -> Result<sg::Mapped>;
}

/// An [`Incoming`] buffer of one segment that is lent by its DMA address.
///
/// # Safety
///
/// The buffer owns [`capacity`](Incoming::capacity) bytes from [`dma_address`](Self::dma_address) on, as the device sees them that
/// the source is mapped for.
pub unsafe trait Premapped: Incoming {
    /// Where the device finds the buffer.
    ///
    /// # Safety
    ///
    /// It is of a source that exists.
    unsafe fn dma_address(&self) -> u64;
}

/// [`Premapped`] buffers that belong to the same source, so that it is asked for once.
///
/// # Safety
///
/// All that it gives belong to the source where [`is_of`](Self::is_of) says so.
pub unsafe trait PremappedBatch: Iterator<Item: Premapped> {
    /// Whether the buffers belong to `source`.
    fn is_of(&self, source: &<Self::Item as Buffer>::Source) -> bool;
}

/// What a device reads, by DMA addresses, through a queue for [`Outgoing`] buffers of the type `B`, whose token it becomes.
///
/// # Safety
///
/// - [`into_token`](Self::into_token) makes a token as `B` does, which [`Outgoing::reclaim`] and [`Buffer::release`] of that
///   take.
/// - Where [`is_of`](Self::is_of) says so, [`map`](Self::map) describes memory by addresses of the device that the source
///   is mapped for, which stays mapped as long as the source exists.
pub unsafe trait OutgoingPremapped<B: Outgoing>: Sized {
    /// Whether the memory belongs to `source`.
    fn is_of(&self, source: &B::Source) -> bool;

    /// Describes the memory to lend, by DMA addresses.
    ///
    /// # Errors
    ///
    /// It cannot be described in [`Buffer::SEGMENTS`] segments.
    fn map(&self, table: &mut sg::Table) -> Result<sg::Mapped>;

    /// Gives it up for a token.
    fn into_token(self) -> NonNull<c_void>;
}
