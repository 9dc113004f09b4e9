// SPDX-License-Identifier: GPL-2.0

//! Programs, and the place of the one that a device has.

use super::XdpFrame;
use crate::{
    bindings,
    Polling, //
};
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

/// What a program has decided about a packet.
pub enum Verdict<P> {
    /// The stack is to have it (`XDP_PASS`).
    Pass(P),
    /// It is to be sent back (`XDP_TX`).
    Tx(XdpFrame),
    /// It has been sent elsewhere (`XDP_REDIRECT`).
    Redirected,
    /// It is dropped: by the program, or since it could not be sent, or since the program has failed.
    Dropped,
}

impl<P> Verdict<P> {
    /// The same, with what `pass` makes of the packet if the stack is to have it.
    #[inline(always)]
    pub fn map<Q>(self, pass: impl FnOnce(P) -> Q) -> Verdict<Q> {
        match self {
            Self::Pass(packet) => Verdict::Pass(pass(packet)),
            Self::Tx(frame) => Verdict::Tx(frame),
            Self::Redirected => Verdict::Redirected,
            Self::Dropped => Verdict::Dropped,
        }
    }
}

impl Verdict<()> {
    /// The verdict about `packet`, which has been taken over by what it is sent as, if it is.
    #[inline(always)]
    pub(crate) fn about<P>(self, packet: P) -> Verdict<P> {
        match self {
            Self::Pass(()) => Verdict::Pass(packet),
            Self::Dropped => Verdict::Dropped,
            Self::Tx(frame) => {
                core::mem::forget(packet);
                Verdict::Tx(frame)
            }
            Self::Redirected => {
                core::mem::forget(packet);
                Verdict::Redirected
            }
        }
    }
}

/// Has `program` decide about the packet in `xdp`. The stack is told of what it has failed at (`xdp_exception`).
///
/// The buffer stays with the caller if the packet is passed or dropped; else it has been taken over.
///
/// # Safety
///
/// `xdp` is what the programs of the device are run with, and valid; its buffer is owned. This is the poll function of the queue
/// that `xdp` says it is of.
#[inline(always)]
pub(crate) unsafe fn decide(
    xdp: *mut bindings::xdp_buff,
    program: &Program<'_>,
    polling: &Polling<'_>,
) -> Verdict<()> {
    // SAFETY: The program is valid, and this is the poll function of the queue, in softirq context. By the requirement of this function
    // it gets a valid buffer, and leaves one.
    let action = unsafe { bindings::bpf_prog_run_xdp(program.as_raw(), xdp) };
    // SAFETY: By the requirements of this function.
    unsafe { act(action, xdp, program, polling) }
}

/// As [`decide`], about a packet in several chunks of AF_XDP, which may be passed, or go to a socket. Anybody else gets a copy, and
/// the stack copies the first chunk only: so it is dropped, as what the program has failed at.
///
/// # Safety
///
/// As for [`decide`].
#[cold]
pub(crate) unsafe fn decide_chunks(
    xdp: *mut bindings::xdp_buff,
    program: &Program<'_>,
    polling: &Polling<'_>,
) -> Verdict<()> {
    let (prog, dev) = (program.as_raw(), polling.napi().dev());
    // SAFETY: As in `decide`. The program has just run.
    unsafe {
        let action = bindings::bpf_prog_run_xdp(prog, xdp);
        let is_cut = match action {
            bindings::xdp_action_XDP_TX => true,
            bindings::xdp_action_XDP_REDIRECT => !bindings::xdp_redirects_to_socket(),
            _ => false,
        };
        if is_cut {
            bindings::trace_xdp_exception(dev, prog, action);
            return Verdict::Dropped;
        }
        act(action, xdp, program, polling)
    }
}

/// Does what a program has decided.
///
/// # Safety
///
/// As for [`decide`]. The program has just returned `action`.
#[inline(always)]
unsafe fn act(
    action: bindings::xdp_action,
    xdp: *mut bindings::xdp_buff,
    program: &Program<'_>,
    polling: &Polling<'_>,
) -> Verdict<()> {
    let (prog, dev) = (program.as_raw(), polling.napi().dev());
    match action {
        bindings::xdp_action_XDP_PASS => return Verdict::Pass(()),
        bindings::xdp_action_XDP_DROP => return Verdict::Dropped,
        bindings::xdp_action_XDP_TX => {
            // SAFETY: The buffer is valid. The frame takes it over.
            let frame = unsafe { bindings::xdp_convert_buff_to_frame(xdp) };
            if let Some(frame) = NonNull::new(frame) {
                // SAFETY: It is new.
                return Verdict::Tx(unsafe { XdpFrame::from_raw(frame) });
            }
        }
        bindings::xdp_action_XDP_REDIRECT => {
            // SAFETY: As above. Where it succeeds, the buffer has passed on. `RxPoll` flushes what has been redirected.
            if unsafe { bindings::xdp_do_redirect(dev, xdp, prog) } == 0 {
                polling.redirected.set(true);
                return Verdict::Redirected;
            }
            // It has left a trace.
            return Verdict::Dropped;
        }
        bindings::xdp_action_XDP_ABORTED => {}
        // SAFETY: Device and program are valid.
        _ => unsafe { bindings::bpf_warn_invalid_xdp_action(dev, prog, action) },
    }
    // SAFETY: As above.
    unsafe { bindings::trace_xdp_exception(dev, prog, action) };
    Verdict::Dropped
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
