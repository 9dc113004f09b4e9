// SPDX-License-Identifier: GPL-2.0

//! Adaptive moderation of interrupts: the kernel's library watches what a receive queue gets, and
//! finds out how long interrupts should be put off.
//!
//! C header: [`include/linux/dim.h`](srctree/include/linux/dim.h)
//!
//! The library is shown what a receive queue has got, each time that its poll function comes to an end. When it
//! finds another moderation it schedules a work, which tells the device: without the rtnl lock, since whoever
//! closes the interface holds that and waits for the work. Work that is taken back when the interface is closed
//! leaves the library as if it had just started; else it would wait for that work for ever.

use crate::{
    bindings,
    Allocated,
    Device,
    Driver,
    Moderation, //
};
use core::{
    ptr::null_mut,
    sync::atomic::{
        AtomicBool,
        AtomicU16,
        AtomicU64,
        AtomicU8,
        Ordering::Relaxed, //
    },
};
use kernel::{
    container_of,
    error::to_result,
    prelude::*,
    types::Opaque, //
};

/// The moderation of a receive queue.
///
/// # Invariants
///
/// `raw` has been set up for `dev`, a network device whose private area is a `Context` of the driver
/// that `work` was made for, and stays where it is. `dev` is registered whenever the work runs.
pub(crate) struct Dim {
    raw: Opaque<bindings::dim>,
    dev: *mut bindings::net_device,
    queue: u16,
    on: AtomicBool,
    /// How often a poll function has received something and come to its end, see
    /// [`sample`](Self::sample).
    events: AtomicU16,
    /// How many packets there had been then.
    packets: AtomicU64,
}

// SAFETY: The library serialises by the state of `raw`. `dev` is an object of the stack with locks of
// its own.
unsafe impl Send for Dim {}
// SAFETY: As above.
unsafe impl Sync for Dim {}

/// Prepares `dev` for moderations of the driver `T`. Process context. May sleep.
///
/// # Safety
///
/// `dev` is valid, not registered, and has not been prepared. [`finish`] is called before it is freed.
unsafe fn prepare<T: AdaptiveRx>(dev: *mut bindings::net_device) -> Result {
    // CAST: It is 0.
    // SAFETY: By the requirement of this function.
    unsafe {
        to_result(bindings::net_dim_init_irq_moder(
            dev,
            bindings::DIM_PROFILE_RX,
            bindings::DIM_COALESCE_FLAGS,
            bindings::dim_cq_period_mode_DIM_CQ_PERIOD_MODE_START_FROM_EQE as u8,
            0,
            Some(work::<T>),
            None,
        ))
        // It has freed that again, but the device still points to it.
        .inspect_err(|_| (*dev).irq_moder = null_mut())
    }
}

/// Undoes [`prepare`]. Process context. May sleep. Takes the rtnl lock.
///
/// # Safety
///
/// `dev` is valid and not registered, and is not prepared again. There are no moderations of it any
/// more.
pub(crate) unsafe fn finish(dev: *mut bindings::net_device) {
    // SAFETY: By the requirement of this function.
    unsafe {
        if !(*dev).irq_moder.is_null() {
            let _rtnl = crate::rtnl::lock();
            bindings::net_dim_free_irq_moder(dev);
        }
    }
}

impl Dim {
    /// The moderation of the receive queue `queue` of `dev`, if the device has been prepared. It is
    /// off. Process context. May sleep.
    ///
    /// # Safety
    ///
    /// `dev` is valid. The moderation is dropped before that.
    pub(crate) unsafe fn new(
        dev: *mut bindings::net_device,
        queue: u16,
    ) -> Result<Option<Pin<KBox<Self>>>> {
        // SAFETY: By the requirement of this function.
        if unsafe { (*dev).irq_moder.is_null() } {
            return Ok(None);
        }
        // INVARIANT: It is set up below, in its place. The work is scheduled by a poll function,
        // which only a registered device has, and `cancel` is called when that has ended.
        let dim = KBox::new(
            Self {
                raw: Opaque::zeroed(),
                dev,
                queue,
                on: AtomicBool::new(false),
                events: AtomicU16::new(0),
                packets: AtomicU64::new(0),
            },
            GFP_KERNEL,
        )?;
        // SAFETY: The device has been prepared, and the structure is zeroed, as the library wants.
        unsafe { bindings::net_dim_setting(dev, dim.raw.get(), false) };
        Ok(Some(KBox::into_pin(dim)))
    }

    /// Turns it on or off.
    pub(crate) fn turn(&self, on: bool) {
        self.on.store(on, Relaxed);
    }

    /// Whether it is on.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Relaxed)
    }

    /// Takes note of so many packets and bytes that have been received in all, now that nothing is
    /// left to receive. C function: `virtnet_rx_dim_update()`.
    ///
    /// # Safety
    ///
    /// The caller is in the poll function of the queue.
    pub(crate) unsafe fn sample(&self, packets: u64, bytes: u64) {
        if self.packets.load(Relaxed) == packets {
            return;
        }
        // Nobody else writes to these: plain loads and stores do.
        let events = self.events.load(Relaxed).wrapping_add(1);
        self.packets.store(packets, Relaxed);
        self.events.store(events, Relaxed);
        // SAFETY: By the type invariant, and the poll function serialises.
        unsafe { bindings::net_dim_now(self.raw.get(), events, packets, bytes) };
    }

    /// Has the library start again with what it measures.
    fn restart(&self) {
        let start = bindings::dim_state_DIM_START_MEASURE;
        // SAFETY: The field is valid. While the work may run the library reads it, but does not
        // write to it.
        let state = unsafe { AtomicU8::from_ptr(&raw mut (*self.raw.get()).state) };
        // CAST: It is the first state.
        state.store(start as u8, Relaxed);
    }

    /// Cancels the work, or waits until it has run. Process context. May sleep; the work must not
    /// need a lock that the caller holds.
    ///
    /// # Safety
    ///
    /// The context of the queue is disabled.
    pub(crate) unsafe fn cancel(&self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::net_dim_work_cancel(self.raw.get()) };
        // If the work has been cancelled the library still waits for it.
        self.restart();
    }
}

impl Drop for Dim {
    fn drop(&mut self) {
        // SAFETY: By the type invariant. It has not been scheduled since the contexts were disabled,
        // which they are before the queues are dropped.
        unsafe { bindings::net_dim_work_cancel(self.raw.get()) };
    }
}

/// The library has found another moderation. C function: `virtnet_rx_dim_work()`.
extern "C" fn work<T: AdaptiveRx>(work: *mut bindings::work_struct) {
    // SAFETY: The work is part of the structure that a `Dim` wraps. It is waited for before that is
    // dropped.
    let dim: &Dim = unsafe {
        let raw = container_of!(work, bindings::dim, work);
        &*container_of!(Opaque::cast_from(raw), Dim, raw)
    };
    // SAFETY: By the type invariant.
    let (device, found) = unsafe {
        (
            Device::<T>::from_raw(dim.dev),
            bindings::net_dim_get_rx_irq_moder(dim.dev, dim.raw.get()),
        )
    };
    T::moderate_rx(
        device,
        dim.queue,
        Moderation {
            usecs: found.usec.into(),
            frames: found.pkts.into(),
        },
    );
    dim.restart();
}

/// A driver that can put off the interrupts of single receive queues, so that the stack finds out for how long.
pub trait AdaptiveRx: Driver {
    /// Puts off the interrupts of the receive queue `queue` like this, which adaptive moderation has
    /// found to be best: see [`Device::set_adaptive_rx`].
    ///
    /// Process context, may sleep. Must not take the rtnl lock, nor so that of the device: somebody who holds them may be waiting.
    fn moderate_rx(device: &Device<Self>, queue: u16, moderation: Moderation);
}

impl<T: AdaptiveRx> Allocated<T> {
    /// Says that the device can put off the interrupts of single queues, so that moderation can adapt
    /// to what is received: see [`AdaptiveRx::moderate_rx`]. Process context. May sleep.
    ///
    /// # Errors
    ///
    /// `EBUSY` if that has been said before; `ENOMEM`.
    pub fn adapt_moderation(&mut self) -> Result {
        let dev = self.as_raw();
        // SAFETY: The device is valid and not registered; `Drop` undoes this.
        unsafe {
            if !(*dev).irq_moder.is_null() {
                return Err(EBUSY);
            }
            prepare::<T>(dev)
        }
    }
}
