// SPDX-License-Identifier: GPL-2.0

//! The virtqueue.

use super::{
    set::Set,
    Moment, //
};
use crate::{
    bindings,
    fault,
    Attached,
    Feature, //
};
use core::{
    ffi::c_void,
    marker::PhantomData,
    mem::MaybeUninit,
    ptr::{
        null_mut,
        NonNull, //
    },
};
use dma::{
    sg,
    Buffer,
    DmaDevice,
    Incoming,
    Source, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// `kernel::error::to_result`, but without a call where there is no error.
#[inline]
pub(super) fn check(error: c_int) -> Result {
    if error == 0 {
        Ok(())
    } else {
        Err(Error::from_errno(error))
    }
}

/// By which addresses the device of a queue finds what is lent.
#[derive(Clone, Copy)]
pub(super) enum Addresses {
    /// By guest-physical ones.
    Physical,
    /// By those that memory is mapped to for the device that does DMA.
    Mapped,
    /// By those that the transport gives to the core when a buffer is lent, as that of vDPA does.
    Transport,
}

/// A virtqueue for buffers of the type `B`: the driver's end of it, and the owner of all that is
/// lent.
///
/// Its methods that take `&mut self` are not serialised by anything else: whoever has the only
/// reference has the queue. Unless said otherwise a method may be called in any context and does
/// not sleep.
///
/// Dropping one resets the whole device and releases what is still lent: process context, may
/// sleep.
///
/// # Invariants
///
/// - `raw` is a queue of `set`, and this is the only handle to it.
/// - Each token in the queue comes from a `B`. If the device writes to it, or it was [premapped](super::OutgoingPremapped), it belongs
///   to `source`, whose memory is mapped for `dma_device`.
/// - `addresses` are those that the device of the queue takes.
pub struct Virtqueue<B: Buffer> {
    pub(super) raw: NonNull<bindings::virtqueue>,
    /// The device that does DMA, or null if the device of the queue takes guest-physical addresses.
    pub(super) dma_device: *mut bindings::device,
    pub(super) addresses: Addresses,
    /// Set once. Dropped when nothing is lent any more.
    pub(super) source: Option<B::Source>,
    pub(super) table: sg::Table,
    pub(super) set: Arc<Set>,
    /// When the device was told last.
    pub(super) kicked: Moment,
    pub(super) buffers: PhantomData<B>,
}

// SAFETY: It owns buffers, which are `Send`; the queue itself may be used by any one thread at a
// time.
unsafe impl<B: Buffer> Send for Virtqueue<B> {}

/// What is called, in interrupt context, when the device has used buffers of a queue.
pub trait Callback: 'static {
    /// What it is called with, for as long as the queue exists.
    type Target: Send + Sync + 'static;

    /// The device has used buffers, or says so.
    fn done(target: &Self::Target, queue: &Interrupted<'_>);
}

/// A queue that raised an interrupt.
pub struct Interrupted<'a> {
    raw: *mut bindings::virtqueue,
    lifetime: PhantomData<&'a ()>,
}

impl Interrupted<'_> {
    pub(super) fn new(raw: *mut bindings::virtqueue) -> Self {
        Self {
            raw,
            lifetime: PhantomData,
        }
    }

    /// Asks the device for no further interrupts: a hint, which need not be serialised with
    /// anything.
    #[inline]
    pub fn disable_cb(&self) {
        // SAFETY: The queue is valid during its interrupt.
        unsafe { bindings::virtqueue_disable_cb(self.raw) }
    }
}

/// The indices of a split ring, which count buffers and wrap around.
pub struct Indices {
    /// How many buffers the driver has lent (virtio 1.3, section 2.7.6).
    pub available: u16,
    /// How many of them the device says that it has used (section 2.7.8): whatever it likes.
    pub used: u16,
}

/// A buffer that could not be added, and why.
pub struct Rejected<B> {
    /// The buffer.
    pub buffer: B,
    /// `ENOSPC` if the ring is full, `EIO` if the queue is broken, `EMSGSIZE` if the ring is too short for it at any time, `ENOMEM`,
    /// `EINVAL`.
    pub error: Error,
}

/// A buffer about which the device says that it has written more than was lent.
pub struct Overrun<B> {
    /// The buffer.
    pub buffer: B,
    /// What the device says it has written, in bytes.
    pub reported: u32,
}

/// A queue that has been asked for an interrupt, as it was at that point. See [`Virtqueue::arm`].
///
/// It borrows the queue. Code that is `unsafe` may keep it for longer, until the end of the RCU read-side section that
/// it was made in: what is behind a queue is freed after a grace period.
///
/// # Invariants
///
/// The queue, and its ring, exist for the lifetime.
pub struct Armed<'queue> {
    raw: *mut bindings::virtqueue,
    opaque: u32,
    queue: PhantomData<&'queue ()>,
}

impl Armed<'_> {
    /// Whether the device has used buffers since: it may not have seen that an interrupt is wanted.
    #[inline]
    pub fn pending(&self) -> bool {
        // SAFETY: By the type invariant. The function need not be serialised.
        unsafe { bindings::virtqueue_poll(self.raw, self.opaque) }
    }

    /// How many buffers have been taken back, in numbers of its own: as long as nobody takes one it stays the same.
    pub fn position(&self) -> u32 {
        self.opaque
    }

    /// Asks the device for no interrupts after all: a hint, which need not be serialised.
    #[inline]
    pub fn disable_cb(&self) {
        // SAFETY: By the type invariant. The function need not be serialised.
        unsafe { bindings::virtqueue_disable_cb(self.raw) }
    }
}

impl<B: Buffer> Virtqueue<B> {
    /// # Safety
    ///
    /// `raw` is a queue of `set` without another handle. It keeps a context if `B::CONTEXT` says
    /// so.
    pub(super) unsafe fn new(raw: NonNull<bindings::virtqueue>, set: Arc<Set>) -> Result<Self> {
        fault::point("segment table")?;
        // SAFETY: By the requirement of this function the queue is valid; the field does not change.
        let (index, size) = unsafe {
            let raw = raw.as_ptr();
            ((*raw).index, bindings::virtqueue_get_vring_size(raw))
        };
        let table = sg::Table::new(B::SEGMENTS.min(set.max_segments(index, size)))?;
        // SAFETY: As above.
        let dma_device = unsafe { bindings::virtqueue_dma_dev(raw.as_ptr()) };
        // SAFETY: As above; the device of the queue is valid, and the field does not change.
        let by_transport = unsafe { !(*(*raw.as_ptr()).vdev).map.is_null() };
        // INVARIANT: The core has a device for all that is mapped by none of the transport's own functions.
        let addresses = if by_transport {
            Addresses::Transport
        } else if dma_device.is_null() {
            Addresses::Physical
        } else {
            Addresses::Mapped
        };
        Ok(Self {
            raw,
            dma_device,
            addresses,
            source: None,
            table,
            set,
            kicked: Moment::default(),
            buffers: PhantomData,
        })
    }

    /// Whether a buffer of several segments takes one descriptor of the ring, and the core makes a table for it.
    pub fn has_indirect(&self) -> bool {
        self.set.has_indirect(self.index())
    }

    /// The most segments that a buffer can have: as many as the ring has descriptors, where it takes one for each.
    pub fn max_segments(&self) -> usize {
        self.set.max_segments(self.index(), self.size())
    }

    pub(super) fn as_raw(&self) -> *mut bindings::virtqueue {
        self.raw.as_ptr()
    }

    /// The number of the queue within its device.
    #[inline]
    pub fn index(&self) -> u32 {
        // SAFETY: By the type invariant; the field does not change.
        unsafe { (*self.raw.as_ptr()).index }
    }

    /// The number of descriptors of the ring.
    pub fn size(&self) -> u32 {
        // SAFETY: By the type invariant.
        unsafe { bindings::virtqueue_get_vring_size(self.raw.as_ptr()) }
    }

    /// The number of free descriptors. A buffer takes one for each segment, or one altogether.
    #[inline]
    pub fn num_free(&self) -> u32 {
        // SAFETY: By the type invariant; only methods that take `&mut self` write to the field.
        unsafe { (*self.raw.as_ptr()).num_free }
    }

    /// Whether the core has given up the queue: the device has gone, or has broken the rules.
    pub fn is_broken(&self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { bindings::virtqueue_is_broken(self.raw.as_ptr()) }
    }

    /// The device that does DMA for this queue, if it does not use guest-physical addresses.
    pub fn dma_device(&self) -> DmaDevice<'_> {
        // SAFETY: By the type invariant: the transport does DMA with this device as long as the virtio device is bound.
        unsafe { DmaDevice::new(self.dma_device, self.set.device().hold()) }
    }

    /// The device that the queue belongs to.
    pub fn device(&self) -> &Attached {
        self.set.device()
    }

    /// Tells the device about buffers that have been added, if it wants to know.
    ///
    /// Returns whether it was told, which is a write that leaves the guest. After `false` there was
    /// no need, or the queue is broken.
    #[inline]
    pub fn kick(&mut self) -> bool {
        // SAFETY: By the type invariant; `&mut self` serialises.
        let wanted = unsafe { bindings::virtqueue_kick_prepare(self.raw.as_ptr()) };
        wanted && self.notify()
    }

    /// As [`kick`](Self::kick), but tells the device in any case.
    // The exit to the host costs far more than the call, and within a batch nobody comes here.
    #[inline(never)]
    pub fn notify(&mut self) -> bool {
        // SAFETY: By the type invariant; `&mut self` serialises.
        let told = unsafe { bindings::virtqueue_notify(self.raw.as_ptr()) };
        if told {
            self.kicked.set();
        }
        told
    }

    /// When the device was told last, since the queue was found.
    pub fn last_kick(&self) -> &Moment {
        &self.kicked
    }

    /// When the interrupt said last that buffers have been used, since the queue was found; `None` of a queue without one.
    pub fn last_interrupt(&self) -> Option<&Moment> {
        // CAST: An index fits.
        let request = self.set.requests().get(self.index() as usize)?;
        request.target.as_ref().map(|_| &request.interrupted)
    }

    /// How far the ring has come; `None` of a packed ring, which has no indices.
    pub fn indices(&self) -> Option<Indices> {
        if self.device().has(Feature::RING_PACKED) {
            return None;
        }
        let raw = self.raw.as_ptr();
        // SAFETY: By the type invariant. The ring is a split one.
        unsafe {
            Some(Indices {
                available: bindings::virtqueue_split_avail_idx(raw),
                used: bindings::virtqueue_split_used_idx(raw),
            })
        }
    }

    /// Asks the device for no interrupts: a hint, which need not be serialised with anything.
    #[inline]
    pub fn disable_cb(&self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::virtqueue_disable_cb(self.raw.as_ptr()) }
    }

    /// Asks the device for an interrupt when most of what is lent has been used.
    ///
    /// Returns `false` if most of it has been used already: there may be no interrupt, so the
    /// caller has to look. Of a [broken](Self::is_broken) queue it returns `true`: nothing can be taken from it, however
    /// much is used, and who looks until there is no more would look for ever. Linux 7.2 leaves that to its callers.
    #[inline]
    pub fn enable_cb_delayed(&mut self) -> bool {
        // SAFETY: By the type invariant; `&mut self` serialises.
        let enabled = unsafe { bindings::virtqueue_enable_cb_delayed(self.raw.as_ptr()) };
        enabled || self.is_broken()
    }

    /// Asks the device for an interrupt when it next uses a buffer.
    ///
    /// Somebody has to ask [`Armed::pending`] afterwards.
    #[inline]
    pub fn arm(&mut self) -> Armed<'_> {
        // SAFETY: By the type invariant; `&mut self` serialises.
        let opaque = unsafe { bindings::virtqueue_enable_cb_prepare(self.raw.as_ptr()) };
        // INVARIANT: `self` is borrowed.
        Armed {
            raw: self.raw.as_ptr(),
            opaque,
            queue: PhantomData,
        }
    }

    /// Takes the next token that the device has used. If there is one, how many bytes were written is there too, and the context, if the
    /// queue keeps contexts.
    #[inline]
    pub(super) fn next_used(
        &mut self,
        written: &mut MaybeUninit<u32>,
        context: &mut MaybeUninit<*mut c_void>,
    ) -> Option<NonNull<c_void>> {
        // SAFETY: By the type invariant; `&mut self` serialises.
        NonNull::new(unsafe {
            bindings::virtqueue_get_buf_ctx(
                self.raw.as_ptr(),
                written.as_mut_ptr(),
                context.as_mut_ptr(),
            )
        })
    }
}

impl<B: Buffer<Source: Source>> Virtqueue<B> {
    /// Says what the buffers belong to that are going to be lent, which is once. The queue keeps it until it is dropped
    /// or [lets go](Self::let_go) of them, and the device has given all of them back.
    ///
    /// # Errors
    ///
    /// `EBUSY` if that has been said before; `EINVAL` if their memory is not mapped as the queue needs it.
    pub fn lend_from(&mut self, source: B::Source) -> Result {
        if self.source.is_some() {
            return Err(EBUSY);
        }
        if !core::ptr::eq(source.dma_device(), self.dma_device) {
            return Err(EINVAL);
        }
        self.source = Some(source);
        Ok(())
    }
}

impl<B: Incoming> Virtqueue<B> {
    /// Whether what the device has written has to be made visible to the CPU. If not, it is at once.
    #[inline]
    fn needs_sync(&self) -> bool {
        // SAFETY: The device is there for as long as the queue, if there is one.
        !self.dma_device.is_null() && unsafe { bindings::dma_dev_need_sync(self.dma_device) }
    }

    /// Takes back the next buffer that the device has written to, with the number of bytes.
    ///
    /// # Errors
    ///
    /// [`Overrun`] if the device says that it has written more than was lent: none of it can be
    /// trusted.
    #[inline]
    pub fn pop(&mut self) -> Option<Result<(B, u32), Overrun<B>>> {
        let mut reported = MaybeUninit::uninit();
        let mut context = if B::CONTEXT {
            MaybeUninit::uninit()
        } else {
            MaybeUninit::new(null_mut())
        };
        let token = self.next_used(&mut reported, &mut context)?;
        // SAFETY: There is a token, so the core has written both, the latter if it keeps contexts, and else it is null. By the type
        // invariant the token comes from a `B`, and the context was kept with it. The core hands it out once, after the device has used it.
        let (reported, mut buffer) = unsafe {
            (
                reported.assume_init(),
                B::reclaim(token, context.assume_init()),
            )
        };
        if self.needs_sync() {
            buffer = self.synced(buffer, reported);
        }
        Some(if reported <= buffer.capacity() {
            Ok((buffer, reported))
        } else {
            Err(Overrun { buffer, reported })
        })
    }

    /// Makes what the device has written visible to the CPU.
    // Apart, and through its hands, so that a queue that needs none of it pays for one question, and keeps the buffer in registers.
    #[inline(never)]
    fn synced(&self, buffer: B, written: u32) -> B {
        if let Some(source) = &self.source {
            buffer.sync_for_cpu(source, written);
        }
        buffer
    }
}

impl<B: Buffer> Virtqueue<B> {
    /// Drops the queue, and returns how many buffers the device had.
    pub fn close(mut self) -> u32 {
        self.release_all()
    }

    /// Resets the device, and releases what is lent. Returns how many buffers that were.
    // Whatever can fail while there is a queue has a path that ends here.
    #[inline(never)]
    pub(super) fn release_all(&mut self) -> u32 {
        let mut released = 0u32;
        // Afterwards the device has no access to any buffer, and no callback is running; or it does not stop.
        let is_reset = self.set.reset();
        // SAFETY: By the type invariant; `&mut self` serialises.
        let detach = || unsafe { bindings::virtqueue_detach_unused_buf(self.raw.as_ptr()) };
        while let Some(token) = NonNull::new(detach()) {
            // SAFETY: By the type invariant the token comes from a `B`. The core hands it out once,
            // and the device is in reset, or nothing else has the memory from now on.
            unsafe {
                if is_reset {
                    B::release(token);
                } else {
                    B::abandon(token);
                }
            }
            released = released.wrapping_add(1);
        }
        if !is_reset {
            self.set.note_abandoned(released);
        }
        released
    }
}

impl<B: Buffer> Drop for Virtqueue<B> {
    fn drop(&mut self) {
        self.release_all();
    }
}
