// SPDX-License-Identifier: GPL-2.0

//! NAPI: polling a queue in softirq context.

use crate::{
    bindings,
    Features, //
};
use core::{
    cell::Cell,
    ptr::{
        null_mut,
        NonNull, //
    },
    sync::atomic::{
        AtomicBool,
        Ordering::SeqCst, //
    },
};
use dma::fault;
use kernel::{
    alloc::{
        flags::*,
        Flags, //
    },
    prelude::*,
    sync::Arc,
    types::Opaque, //
};

/// A NAPI context of one queue.
///
/// It is added to a network device when that is allocated, and deleted with it. A reference may
/// live longer: then the context is disabled for good, and scheduling it does nothing.
///
/// # Invariants
///
/// - `raw` has been added to `dev`. After it has been deleted it stays in the disabled state.
/// - `retry` has been set up.
#[pin_data]
pub struct Napi {
    #[pin]
    raw: Opaque<bindings::napi_struct>,
    #[pin]
    retry: Opaque<bindings::timer_list>,
    dev: NonNull<bindings::net_device>,
    index: u16,
    /// Set before it is enabled, cleared after it has been disabled.
    enabled: AtomicBool,
}

// SAFETY: The methods that take `&self` may be called from any thread.
unsafe impl Send for Napi {}
// SAFETY: As above.
unsafe impl Sync for Napi {}

/// A poll function: with the context that is polled and the budget.
pub(crate) type PollFn = unsafe extern "C" fn(*mut bindings::napi_struct, c_int) -> c_int;

/// Which way the packets of a queue go.
pub(crate) enum Direction {
    Receive,
    Transmit,
}

impl Napi {
    /// Adds a context to `dev`, in the disabled state.
    ///
    /// # Safety
    ///
    /// [`Napi::delete`] is called before `dev` is freed. `poll` is a poll function for `dev` and
    /// `direction`. The device has more than `index` queues.
    pub(crate) unsafe fn new(
        dev: NonNull<bindings::net_device>,
        index: u16,
        direction: Direction,
        poll: PollFn,
    ) -> Result<Arc<Self>> {
        fault::point("NAPI context")?;
        let napi = Arc::pin_init(
            pin_init!(Self {
                raw: Opaque::zeroed(),
                retry: Opaque::zeroed(),
                dev,
                index,
                enabled: AtomicBool::new(false),
            }),
            GFP_KERNEL,
        )?;
        // SAFETY: Both structures are zeroed and have an address that does not change.
        unsafe {
            bindings::timer_setup(napi.retry.get(), Some(Self::retry_callback));
            match direction {
                // The device has room for as many settings as it has queues.
                Direction::Receive => bindings::netif_napi_add_config(
                    dev.as_ptr(),
                    napi.raw.get(),
                    Some(poll),
                    index.into(),
                ),
                Direction::Transmit => {
                    bindings::netif_napi_add_tx(dev.as_ptr(), napi.raw.get(), Some(poll))
                }
            }
        }
        Ok(napi)
    }

    /// Deletes the context from its device.
    ///
    /// # Safety
    ///
    /// The context is disabled, and its device has not been freed. Called once. It stays allocated until
    /// an RCU grace period has passed. Process context, may sleep.
    pub(crate) unsafe fn delete(&self) {
        // SAFETY: By the requirements of this function.
        unsafe {
            bindings::timer_shutdown_sync(self.retry.get());
            bindings::__netif_napi_del(self.raw.get());
        }
    }

    /// # Safety
    ///
    /// `raw` is embedded in a `Napi`, which lives for the lifetime `'a`.
    pub(crate) unsafe fn from_raw<'a>(raw: *mut bindings::napi_struct) -> &'a Self {
        // SAFETY: By the requirement of this function.
        unsafe { &*kernel::container_of!(Opaque::cast_from(raw), Self, raw) }
    }

    pub(crate) fn as_raw(&self) -> *mut bindings::napi_struct {
        self.raw.get()
    }

    /// The network device, for functions of C. It is valid while the context is being polled.
    pub fn dev(&self) -> *mut bindings::net_device {
        self.dev.as_ptr()
    }

    /// The index of the queue among those of its direction.
    pub fn index(&self) -> u16 {
        self.index
    }

    /// Whether the poll function may run. Any context.
    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled.load(SeqCst)
    }

    /// Enables the context, which polls the queue of the type `kind`, and has it polled.
    ///
    /// # Safety
    ///
    /// The device is registered, and its lock is held. The context is disabled. Process context, may sleep.
    pub(crate) unsafe fn enable(&self, kind: bindings::netdev_queue_type) {
        self.enabled.store(true, SeqCst);
        // SAFETY: By the requirements of this function.
        unsafe {
            bindings::napi_enable_ops(self.as_raw());
            bindings::netif_queue_set_napi(self.dev(), self.index.into(), kind, self.as_raw());
        }
        // What arrived or was sent before raises no interrupt any more.
        self.schedule_now();
    }

    /// Disables the context, which polls the queue of the type `kind`, and waits until its poll function has returned.
    ///
    /// # Safety
    ///
    /// As for [`enable`](Self::enable), but the context is enabled.
    pub(crate) unsafe fn disable(&self, kind: bindings::netdev_queue_type) {
        // SAFETY: By the requirements of this function.
        unsafe {
            bindings::netif_queue_set_napi(self.dev(), self.index.into(), kind, null_mut());
            bindings::napi_disable_ops(self.as_raw());
        }
        self.enabled.store(false, SeqCst);
    }

    /// Schedules the poll function, unless it is scheduled or the context is disabled.
    ///
    /// Returns whether it was scheduled by this call. Any context.
    #[inline]
    pub fn schedule(&self) -> bool {
        self.schedule_after(|| ())
    }

    /// As [`schedule`](Self::schedule), but calls `quiet` first if it is going to schedule: to turn
    /// off the interrupt that is not needed until the poll function has run.
    #[inline]
    pub fn schedule_after(&self, quiet: impl FnOnce()) -> bool {
        // SAFETY: By the type invariant. Of a context that has been deleted only the state is
        // looked at, which says that it is disabled.
        if !unsafe { bindings::napi_schedule_prep(self.raw.get()) } {
            return false;
        }
        quiet();
        // SAFETY: By the type invariant; `napi_schedule_prep` has returned true, so it is enabled.
        unsafe { bindings::__napi_schedule(self.raw.get()) };
        true
    }

    /// As [`schedule`](Self::schedule), but the poll function need not wait for an interrupt to
    /// start. Process context.
    pub fn schedule_now(&self) {
        // SAFETY: By the type invariant, and see `schedule_after`.
        unsafe { bindings::napi_schedule_bh(self.raw.get()) }
    }

    /// Has `poll` called once in the place of the poll function, unless the context is scheduled or disabled. Process context.
    ///
    /// # Safety
    ///
    /// `poll` is a poll function for the context. Called with a budget, it first [gives back](Self::set_poll) the one that the
    /// context was added with; without one it does nothing.
    pub(crate) unsafe fn schedule_once(&self, poll: PollFn) {
        // SAFETY: By the type invariant, and see `schedule_after`. Nobody calls the function before it is scheduled, but netpoll,
        // without a budget.
        unsafe { bindings::napi_schedule_once(self.raw.get(), Some(poll)) };
    }

    /// Sets the poll function.
    ///
    /// # Safety
    ///
    /// The context is owned by the caller. `poll` is a poll function for it.
    pub(crate) unsafe fn set_poll(&self, poll: PollFn) {
        // SAFETY: By the type invariant. Netpoll may read it meanwhile, as a whole.
        unsafe { core::ptr::addr_of_mut!((*self.raw.get()).poll).write_volatile(Some(poll)) };
    }

    extern "C" fn retry_callback(timer: *mut bindings::timer_list) {
        // SAFETY: `timer` is embedded in a `Napi`, which shuts the timer down before it goes.
        let napi: &Self = unsafe { &*kernel::container_of!(Opaque::cast_from(timer), Self, retry) };
        napi.schedule();
    }

    /// Schedules the poll function `delay` milliseconds from now, to try again what failed for want
    /// of memory.
    ///
    /// Any context. Does nothing once the device is going away.
    pub fn schedule_later(&self, delay: u32) {
        // SAFETY: By the type invariant the timer has been set up; after its shutdown this does
        // nothing.
        unsafe { bindings::mod_timer_msecs(self.retry.get(), delay) }
    }
}

/// Proof that the caller has the queue of a NAPI context for itself: its poll function is running
/// on behalf of the caller, or the context is disabled.
pub struct Exclusive<'a> {
    pub(crate) napi: &'a Napi,
    pub(crate) gfp: bindings::gfp_t,
    /// Whether the device has an XDP program.
    pub(crate) has_program: bool,
}

impl<'a> Exclusive<'a> {
    /// Whether packets are going to be seen by an XDP program, which wants buffers of its own kind: see
    /// [`PagePool::alloc_for_program`](crate::PagePool::alloc_for_program).
    #[inline]
    pub fn has_program(&self) -> bool {
        self.has_program
    }

    /// How memory may be allocated where the queue is owned.
    #[inline]
    pub(crate) fn flags(&self) -> Flags {
        if self.gfp == bindings::GFP_KERNEL {
            GFP_KERNEL
        } else {
            GFP_ATOMIC | __GFP_NOWARN
        }
    }

    /// The NAPI context.
    #[inline]
    pub fn napi(&self) -> &'a Napi {
        self.napi
    }
}

/// Proof that the caller is in the poll function of a NAPI context, in softirq context.
pub struct Polling<'a> {
    pub(crate) owner: Exclusive<'a>,
    /// Whether something has been redirected, which is to be flushed.
    pub(crate) redirected: Cell<bool>,
}

impl<'a> Polling<'a> {
    /// The ownership of the queue that goes with it.
    #[inline]
    pub fn owner(&self) -> &Exclusive<'a> {
        &self.owner
    }

    /// The NAPI context.
    #[inline]
    pub fn napi(&self) -> &'a Napi {
        self.owner.napi
    }

    /// Whether it is a process that polls (`SO_BUSY_POLL`), or one that has asked to be left to it (`SO_PREFER_BUSY_POLL`). It has one
    /// context polled, and nobody woken up for the rest.
    #[inline]
    pub fn is_busy(&self) -> bool {
        // SAFETY: The context is being polled.
        unsafe { bindings::napi_is_busy_polled(self.napi().as_raw()) }
    }

    /// The features of the network device that are on, as they are now.
    #[inline]
    pub fn features(&self) -> Features {
        // SAFETY: The device of a NAPI context that is being polled is valid. The field may change
        // at any time, as a whole.
        Features::from_bits(unsafe {
            core::ptr::addr_of!((*self.napi().dev()).features).read_volatile()
        })
    }
}
