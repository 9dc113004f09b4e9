// SPDX-License-Identifier: GPL-2.0

//! Lending something else through a virtqueue: buffers of another source, or of another type.
//!
//! What is lent is released first, through a reset of the queue (virtio 1.3, section 2.6.1).

use super::{
    Buffer,
    Resized,
    Source,
    Virtqueue, //
};
use crate::bindings;
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr, //
};
use kernel::prelude::*;

impl<B: Buffer> Virtqueue<B> {
    /// Releases what is lent, and forgets what it belongs to, so that something else can be [named](Self::lend_from).
    ///
    /// The queue is reset, unless nothing is lent. If that is not possible, the whole device is: it stays in reset, all of its
    /// queues are broken, and the result says so. Process context. May sleep.
    pub fn let_go(&mut self) -> Resized {
        let resized = if self.num_free() == self.size() {
            Resized {
                released: Some(0),
                result: Ok(()),
                broken: self.is_broken(),
            }
        } else {
            self.reset()
        };
        let resized = match resized.released {
            Some(_) => resized,
            None => {
                // Nobody may tell the device anything from now on.
                // SAFETY: The device is valid, and this is process context.
                unsafe { bindings::virtio_break_device(self.set.device().as_raw()) };
                let released = self.release_all();
                Resized {
                    released: Some(released),
                    broken: true,
                    ..resized
                }
            }
        };
        // INVARIANT: Nothing is lent.
        self.source = None;
        resized
    }

    /// Has the buffers that are lent from now on belong to `source`, while none is lent.
    ///
    /// # Errors
    ///
    /// `EBUSY` if something is lent; `EINVAL` if the memory of `source` is not mapped as the queue needs it. All is as it was.
    pub fn exchange_source(&mut self, source: B::Source) -> Result
    where
        B::Source: Source,
    {
        if self.num_free() != self.size() {
            return Err(EBUSY);
        }
        if !ptr::eq(source.dma_device(), self.dma_device) {
            return Err(EINVAL);
        }
        // INVARIANT: Nothing is lent.
        self.source = Some(source);
        Ok(())
    }

    /// The same queue for buffers of the type `C`, which belong to `source`. What is lent is released; the queue is reset for
    /// that.
    ///
    /// Process context. May sleep.
    ///
    /// # Errors
    ///
    /// The queue comes back, as it was or broken: `EINVAL` if the memory of `source` is not mapped as the queue needs it, or if
    /// the types differ in what the queue is set up for; and what [`reset`](Self::reset) says.
    pub fn retyped<C: Buffer<Source: Source>>(
        mut self,
        source: C::Source,
    ) -> Result<Virtqueue<C>, (Self, Resized)> {
        let refused = Resized {
            released: None,
            result: Err(EINVAL),
            broken: false,
        };
        if !ptr::eq(source.dma_device(), self.dma_device) || !Self::suits::<C>() {
            return Err((self, refused));
        }
        let reset = self.reset();
        if reset.result.is_err() {
            return Err((self, reset));
        }
        Ok(self.into_type(source))
    }

    /// As [`retyped`](Self::retyped), but [lets go](Self::let_go) in any case, if the types and the source suit. The queue may be
    /// broken afterwards, as the result says.
    ///
    /// # Errors
    ///
    /// The queue comes back, as it was: `EINVAL`.
    pub fn retyped_anyway<C: Buffer<Source: Source>>(
        mut self,
        source: C::Source,
    ) -> Result<(Virtqueue<C>, Resized), Self> {
        if !ptr::eq(source.dma_device(), self.dma_device) || !Self::suits::<C>() {
            return Err(self);
        }
        let resized = self.let_go();
        Ok((self.into_type(source), resized))
    }

    /// Whether a queue that is set up for `B` can lend a `C`.
    fn suits<C: Buffer>() -> bool {
        B::CONTEXT == C::CONTEXT && B::SEGMENTS >= C::SEGMENTS
    }

    /// Nothing is lent.
    fn into_type<C: Buffer>(self, source: C::Source) -> Virtqueue<C> {
        let mut this = ManuallyDrop::new(self);
        this.source = None;
        // SAFETY: Each field that is not plain is moved once, and `this` is not dropped; its source has just been.
        // INVARIANT: There is no token in the queue. The caller has looked at the source.
        unsafe {
            Virtqueue {
                raw: this.raw,
                dma_device: this.dma_device,
                addresses: this.addresses,
                source: Some(source),
                table: ptr::read(&this.table),
                set: ptr::read(&this.set),
                kicked: ptr::read(&this.kicked),
                buffers: PhantomData,
            }
        }
    }
}
