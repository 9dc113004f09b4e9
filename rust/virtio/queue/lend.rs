// SPDX-License-Identifier: GPL-2.0

//! Lending buffers to the device.

use super::{
    virtqueue::{
        check,
        Addresses, //
    },
    Incoming,
    Outgoing,
    Placed,
    Rejected,
    Scattered,
    Virtqueue, //
};
use crate::bindings;
use core::{
    ffi::c_void,
    mem::MaybeUninit,
    ptr::NonNull, //
};
use dma::sg;
use kernel::prelude::*;

impl<B: Outgoing> Virtqueue<B> {
    /// Has `add` lend what `mapped` says is in the table, with `token`.
    ///
    /// # Safety
    ///
    /// The token comes from a `B`. `add` puts it into the queue, or returns an error.
    #[inline(always)]
    pub(super) unsafe fn send_token(
        token: NonNull<c_void>,
        mapped: Result<sg::Mapped>,
        add: impl FnOnce(sg::Mapped) -> c_int,
    ) -> Result<(), Rejected<B::Returned>> {
        let added = mapped.and_then(|mapped| check(add(mapped)));
        added.map_err(|error| Rejected {
            // SAFETY: By the requirements of this function nobody else has the token.
            buffer: unsafe { B::reclaim(token) },
            error,
        })
    }

    /// Lends a buffer to the device. [`kick`](Self::kick) is owed afterwards.
    ///
    /// # Errors
    ///
    /// The buffer comes back: see [`Rejected`].
    #[inline(always)]
    pub fn add_outbuf(&mut self, buffer: B) -> Result<(), Rejected<B::Returned>> {
        let mapped = buffer.map(&mut self.table);
        let token = buffer.into_token();
        // SAFETY: By the type invariant; `&mut self` serialises. The table describes the buffer, and the implementation of `Outgoing`
        // warrants that its memory stays until the token comes back.
        unsafe {
            Self::send_token(token, mapped, |mapped| {
                bindings::virtqueue_add_outbuf(
                    self.raw.as_ptr(),
                    self.table.as_mut_ptr(),
                    mapped.entries(),
                    token.as_ptr(),
                    bindings::GFP_ATOMIC,
                )
            })
        }
    }

    /// Takes back the next buffer that the device has read.
    #[inline]
    pub fn reclaim(&mut self) -> Option<B::Returned> {
        let (mut written, mut context) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        let token = self.next_used(&mut written, &mut context)?;
        // SAFETY: By the type invariant the token comes from a `B`. The core hands it out once,
        // after the device has used it.
        Some(unsafe { B::reclaim(token) })
    }
}

impl<B: Incoming> Virtqueue<B> {
    /// The buffer if it is one of [`lend_from`](Self::lend_from).
    ///
    /// # Errors
    ///
    /// It comes back with `EINVAL`.
    #[inline(always)]
    pub(super) fn own(&self, buffer: B) -> Result<B, Rejected<B>> {
        match &self.source {
            Some(source) if buffer.is_of(source) => Ok(buffer),
            _ => Err(Rejected {
                buffer,
                error: EINVAL,
            }),
        }
    }

    /// Has `add` lend a buffer, with its token and context.
    ///
    /// # Safety
    ///
    /// `add` puts them into the queue, or returns an error.
    #[inline(always)]
    pub(super) unsafe fn lend_token(
        buffer: B,
        add: impl FnOnce(NonNull<c_void>, *mut c_void) -> c_int,
    ) -> Result<(), Rejected<B>> {
        let (token, context) = buffer.into_token();
        check(add(token, context)).map_err(|error| Rejected {
            // SAFETY: By the requirement of this function nobody else has the token.
            buffer: unsafe { B::reclaim(token, context) },
            error,
        })
    }
}

impl<B: Incoming> Virtqueue<B> {
    /// Lends a buffer of one segment to the device. [`kick`](Self::kick) is owed afterwards.
    ///
    /// # Errors
    ///
    /// The buffer comes back: see [`Rejected`]. It is `EINVAL` if it is not one of
    /// [`lend_from`](Self::lend_from).
    #[inline]
    pub fn add_inbuf<P: Placed<B>>(&mut self, buffer: P) -> Result<(), Rejected<B>> {
        let is_ours = self
            .source
            .as_ref()
            .is_some_and(|source| buffer.is_of(source));
        let page = buffer.page();
        let buffer = buffer.into_buffer();
        if !is_ours {
            return Err(Rejected {
                buffer,
                error: EINVAL,
            });
        }
        let capacity = buffer.capacity();
        let (queue, gfp) = (self.raw.as_ptr(), bindings::GFP_ATOMIC);
        // SAFETY: By the type invariant; `&mut self` serialises. The buffer owns `capacity` bytes at the address that is its token, in
        // `page`, which is mapped for the device of the queue if that has one. By that invariant the address is the one that the device
        // takes.
        unsafe {
            Self::lend_token(buffer, |token, context| {
                let va = token.as_ptr();
                match self.addresses {
                    Addresses::Physical => {
                        bindings::virtqueue_add_inbuf_phys(queue, page, va, capacity, context, gfp)
                    }
                    Addresses::Mapped => {
                        bindings::virtqueue_add_inbuf_pp(queue, page, va, capacity, context, gfp)
                    }
                    Addresses::Transport => {
                        bindings::virtqueue_add_inbuf_page(queue, page, va, capacity, context, gfp)
                    }
                }
            })
        }
    }
}

impl<B: Scattered> Virtqueue<B> {
    /// Lends a buffer of several segments to the device. [`kick`](Self::kick) is owed afterwards.
    ///
    /// # Errors
    ///
    /// The buffer comes back: see [`Rejected`]. It is `EINVAL` if it is not one of
    /// [`lend_from`](Self::lend_from).
    pub fn add_insegs(&mut self, buffer: B) -> Result<(), Rejected<B>> {
        let buffer = self.own(buffer)?;
        let entries = match buffer.map(&mut self.table) {
            Ok(mapped) => mapped.entries(),
            Err(error) => return Err(Rejected { buffer, error }),
        };
        let (queue, gfp) = (self.raw.as_ptr(), bindings::GFP_ATOMIC);
        let list = self.table.as_mut_ptr();
        // SAFETY: By the type invariant; `&mut self` serialises. The table describes the buffer, by DMA addresses if the device of the
        // queue does DMA; the implementation of `Incoming` warrants that its memory stays until the token comes back, and that
        // there is a context only on a queue that keeps one.
        unsafe {
            Self::lend_token(buffer, |token, context| {
                let data = token.as_ptr();
                if self.dma_device.is_null() {
                    bindings::virtqueue_add_inbuf_ctx(queue, list, entries, data, context, gfp)
                } else {
                    bindings::virtqueue_add_inbuf_premapped(
                        queue, list, entries, data, context, gfp,
                    )
                }
            })
        }
    }
}
