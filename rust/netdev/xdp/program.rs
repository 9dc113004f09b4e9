// SPDX-License-Identifier: GPL-2.0

//! Programs, and the place of the one that a device has.

use crate::bindings;
use core::{
    marker::PhantomData,
    ptr::{
        null_mut,
        NonNull, //
    },
    sync::atomic::{
        AtomicPtr,
        Ordering::{
            AcqRel,
            Acquire, //
        },
    },
};

/// A program, for as long as the call that has been given it.
///
/// # Invariants
///
/// It is an XDP program, which is there for the lifetime.
#[derive(Clone, Copy)]
pub struct Program<'a> {
    raw: NonNull<bindings::bpf_prog>,
    lifetime: PhantomData<&'a ()>,
}

impl Program<'_> {
    /// # Safety
    ///
    /// `raw` is an XDP program, and valid for the lifetime of the result.
    #[inline]
    pub(super) unsafe fn from_raw(raw: NonNull<bindings::bpf_prog>) -> Self {
        // INVARIANT: By the requirement of this function.
        Self {
            raw,
            lifetime: PhantomData,
        }
    }

    #[inline]
    pub(super) fn as_raw(&self) -> *mut bindings::bpf_prog {
        self.raw.as_ptr()
    }

    /// Whether it takes packets of several buffers (`BPF_F_XDP_HAS_FRAGS`).
    #[inline]
    pub fn has_frags(&self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { bindings::bpf_prog_has_frags(self.as_raw()) }
    }
}

/// The place of the program of a device.
///
/// # Invariants
///
/// A reference to the program that is in it is owned. One that was is kept for a grace period.
pub(crate) struct Slot(AtomicPtr<bindings::bpf_prog>);

impl Slot {
    /// A place that is empty.
    pub(crate) fn new() -> Self {
        Self(AtomicPtr::new(null_mut()))
    }

    /// Whether there is a program. Any context; it changes while both locks are held.
    #[inline]
    pub(crate) fn is_some(&self) -> bool {
        !self.0.load(Acquire).is_null()
    }

    /// The program.
    ///
    /// # Safety
    ///
    /// For the lifetime of the result the caller is in an RCU read-side section, or holds the rtnl lock.
    #[inline]
    pub(crate) unsafe fn get<'a>(&self) -> Option<Program<'a>> {
        let raw = NonNull::new(self.0.load(Acquire))?;
        // SAFETY: By the type invariant, and by the requirement of this function.
        Some(unsafe { Program::from_raw(raw) })
    }

    /// Puts `program` into the place, and releases the one that was there when no poll function has it any more.
    ///
    /// # Safety
    ///
    /// It is null, or a reference to an XDP program, which passes to the place. Process context. May sleep.
    pub(super) unsafe fn replace(&self, program: *mut bindings::bpf_prog) {
        let old = self.0.swap(program, AcqRel);
        if !old.is_null() {
            // SAFETY: By the type invariant the reference is owned. Whoever looks from now on gets the new one.
            unsafe {
                bindings::synchronize_net();
                bindings::bpf_prog_put(old);
            }
        }
    }
}
