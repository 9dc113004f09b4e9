// SPDX-License-Identifier: GPL-2.0

//! Resetting a device that does not work any more, and taking it into use again: when, and how often.
//!
//! Whoever finds that a device needs it asks for a reset, through an [`Attached`](crate::Attached). It is done later, by a work
//! that has the driver let go of the device and take it into use again as suspending and resuming does ([`Driver::freeze`] and
//! [`Driver::restore`]). The work needs the device lock, which is held where the device is bound and unbound, and around
//! a reset of its function. It only *tries* to take it, and comes back soon: so whoever holds the lock can wait for the work.
//! The workqueue is one that is frozen before devices are suspended.
//!
//! Recovery is *paused*, so that the work neither runs nor starts, unless the driver has the device: while it is being bound
//! or unbound, suspended, or shut down.
//!
//! A device that works is reset at once. One that breaks again soon after a reset, or does not come back from one, is given
//! 1, 2, 4 and 8 seconds, and then up: it stays as it is until somebody asks by hand, resets its function or
//! binds it again.
//!
//! [`Driver::freeze`]: crate::Driver::freeze
//! [`Driver::restore`]: crate::Driver::restore

use crate::{
    bindings,
    Device, //
};
use core::{
    ptr::NonNull,
    sync::atomic::{
        AtomicBool,
        AtomicU64,
        Ordering::Relaxed, //
    },
};
use kernel::{
    container_of,
    device::Bound,
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
    time::{
        Delta,
        Instant,
        Monotonic, //
    },
    types::Opaque, //
};

/// After how many failures in a row a device is given up.
const MOST_FAILURES: u32 = 5;

/// The pause after the first failure, in milliseconds; it is twice as long after each further one. Resets that are asked for are
/// not closer together than this.
const PAUSE_MS: i64 = 1000;

/// How long a device has to work after a reset at least, in milliseconds, so that the reset has not failed. It is the pause
/// before that if that was longer.
const WORKS_MS: i64 = 2000;

/// How long it is until the device lock is tried again, in milliseconds.
const RETRY_MS: u32 = 20;

/// What became of the wish that a device be reset.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// It is going to be.
    Granted,
    /// It was going to be anyhow.
    Pending,
    /// It has been reset often enough in vain, and is given up with this wish.
    GivenUp,
    /// It has been given up before, or the driver is about to lose it.
    Refused,
}

/// Does what the work is for, with the device lock held.
type Recover = unsafe fn(*mut bindings::virtio_device) -> Result;

/// When a device is reset, and by what. See the module.
#[pin_data]
pub(crate) struct Recovery {
    #[pin]
    work: Opaque<bindings::delayed_work>,
    vdev: NonNull<bindings::virtio_device>,
    recover: Recover,
    /// Whether a reset has been granted that has not begun.
    pending: AtomicBool,
    /// See [`Attached::abandoned`](crate::Attached::abandoned).
    abandoned: AtomicU64,
    #[pin]
    state: Mutex<State>,
}

// SAFETY: A work, and a pointer to a device that is used as long as that is bound.
unsafe impl Send for Recovery {}
// SAFETY: As above. Works may be scheduled from any thread.
unsafe impl Sync for Recovery {}

struct State {
    paused: bool,
    /// How many resets in a row were in vain.
    failures: u32,
    /// When the last one was begun or had ended.
    last: Option<Instant<Monotonic>>,
    /// Whether the device has been taken out of use, as its function is going to be reset.
    out_of_use: bool,
    /// Whether the work resets the device.
    running: bool,
    /// Whether it has been said that it has not come back from its last reset.
    reported: bool,
}

impl State {
    fn pause_ms(&self) -> i64 {
        PAUSE_MS << self.failures.saturating_sub(1).min(MOST_FAILURES)
    }

    /// Counts a failure if the last reset is one, by now.
    fn count(&mut self) {
        let works = Delta::from_millis(self.pause_ms().max(WORKS_MS));
        match self.last {
            Some(last) if last.elapsed() < works => self.failures += 1,
            _ => self.failures = 0,
        }
    }

    /// How long it is until the next reset may begin, in milliseconds.
    fn delay_ms(&self) -> u32 {
        let past = self
            .last
            .map_or(PAUSE_MS, |last| last.elapsed().as_millis());
        let since_last = PAUSE_MS.saturating_sub(past).max(0);
        let delay = if self.failures == 0 {
            since_last
        } else {
            since_last.max(self.pause_ms())
        };
        // CAST: It is neither negative nor more than `PAUSE_MS << MOST_FAILURES`.
        delay as u32
    }
}

impl Recovery {
    /// For a device that is being bound; paused.
    ///
    /// # Safety
    ///
    /// [`pause`](Self::pause) is called before the device is unbound, and [`resume`](Self::resume) only while it is bound to the
    /// driver that `recover` is for.
    pub(crate) unsafe fn new(device: &Device<Bound>, recover: Recover) -> Result<Arc<Self>> {
        let state = State {
            paused: true,
            failures: 0,
            last: None,
            out_of_use: false,
            running: false,
            reported: false,
        };
        let recovery = Arc::pin_init(
            pin_init!(Self {
                work: Opaque::zeroed(),
                vdev: NonNull::new(device.as_raw()).ok_or(EINVAL)?,
                recover,
                pending: AtomicBool::new(false),
                abandoned: AtomicU64::new(0),
                state <- new_mutex!(state),
            }? Error),
            GFP_KERNEL,
        )?;
        // SAFETY: It is zeroed, and has an address that does not change.
        unsafe {
            bindings::init_recovery_work(recovery.work.get(), Some(Self::run));
            bindings::disable_delayed_work_sync(recovery.work.get());
        }
        Ok(recovery)
    }

    /// Has the work not run until [`resume`](Self::resume) is called, and waits until it does not. What was to be reset is
    /// not, unless it is asked for again. Does nothing if it is paused. Process context. May sleep.
    pub(crate) fn pause(&self) {
        if core::mem::replace(&mut self.state.lock().paused, true) {
            return;
        }
        // Without the mutex, which the work takes.
        // SAFETY: The work has been set up.
        unsafe { bindings::disable_delayed_work_sync(self.work.get()) };
        self.pending.store(false, Relaxed);
    }

    /// Undoes [`pause`](Self::pause). Does nothing if it is not paused. Process context. May sleep.
    pub(crate) fn resume(&self) {
        let mut state = self.state.lock();
        if core::mem::replace(&mut state.paused, false) {
            // SAFETY: The work has been set up, and disabled once.
            unsafe { bindings::enable_delayed_work(self.work.get()) };
        }
    }

    pub(crate) fn abandoned(&self) -> u64 {
        self.abandoned.load(Relaxed)
    }

    pub(crate) fn note_abandoned(&self, count: u32) {
        self.abandoned.fetch_add(count.into(), Relaxed);
    }

    /// See [`Attached::request_reset`](crate::Attached::request_reset).
    pub(crate) fn request(&self) -> Asked {
        let mut state = self.state.lock();
        if state.paused || state.failures >= MOST_FAILURES {
            return Asked::Refused;
        }
        if self.pending.load(Relaxed) {
            return Asked::Pending;
        }
        state.count();
        if state.failures >= MOST_FAILURES {
            return Asked::GivenUp;
        }
        self.grant(&state);
        Asked::Granted
    }

    /// See [`Attached::request_reset_by_hand`](crate::Attached::request_reset_by_hand).
    pub(crate) fn request_by_hand(&self) -> Asked {
        let mut state = self.state.lock();
        if state.paused {
            return Asked::Refused;
        }
        state.failures = 0;
        self.grant(&state);
        Asked::Granted
    }

    fn grant(&self, state: &State) {
        self.pending.store(true, Relaxed);
        self.schedule(state.delay_ms());
    }

    fn schedule(&self, msecs: u32) {
        // SAFETY: The work has been set up.
        unsafe { bindings::queue_recovery_work(self.work.get(), msecs) };
    }

    /// Whether the device is going to be reset. Any context.
    pub(crate) fn is_pending(&self) -> bool {
        self.pending.load(Relaxed)
    }

    /// The device is going to be reset: whoever has asked for that gets it.
    pub(crate) fn begin(&self) {
        self.pending.store(false, Relaxed);
        self.state.lock().reported = false;
    }

    /// The device has been taken out of use, as its function is going to be reset.
    pub(crate) fn set_out_of_use(&self) {
        self.state.lock().out_of_use = true;
    }

    /// The function has been reset: whatever was to be healed by a reset is, and all that has failed before is forgiven. Returns
    /// whether the device had been taken out of use for that.
    pub(crate) fn forgive(&self) -> bool {
        let mut state = self.state.lock();
        state.failures = 0;
        state.last = None;
        core::mem::replace(&mut state.out_of_use, false)
    }

    /// The device has not come back from a reset: tries again after a pause, unless that has failed too often. Returns how
    /// long that is, in milliseconds.
    fn failed(&self) -> Option<u32> {
        let mut state = self.state.lock();
        // After anything else that it was reset for it is the first one.
        state.failures = if state.running {
            state.failures.saturating_add(1)
        } else {
            1
        };
        state.last = Some(Instant::now());
        (state.failures < MOST_FAILURES).then(|| {
            self.grant(&state);
            state.delay_ms()
        })
    }

    /// # Safety
    ///
    /// `work` is that of a recovery that is not paused.
    unsafe extern "C" fn run(work: *mut bindings::work_struct) {
        // SAFETY: By the requirement of this function. What it is part of lives until it is paused.
        let this: &Self = unsafe {
            let delayed = container_of!(work, bindings::delayed_work, work);
            &*container_of!(Opaque::cast_from(delayed.cast_const()), Self, work)
        };
        let vdev = this.vdev.as_ptr();
        // SAFETY: The device is bound until this is paused, for which this is waited.
        if !unsafe { bindings::virtio_device_trylock(vdev) } {
            return this.schedule(RETRY_MS);
        }
        // There may have been one by others since this one was asked for.
        if this.is_pending() {
            this.set_running(true);
            // SAFETY: By the requirements of `new`; the lock is held, and the workqueue is not frozen.
            if let Err(error) = unsafe { (this.recover)(vdev) } {
                this.report(error);
            }
            this.set_running(false);
        }
        // SAFETY: The lock has been taken above.
        unsafe { bindings::virtio_device_unlock(vdev) };
    }

    fn set_running(&self, running: bool) {
        let mut state = self.state.lock();
        state.running = running;
        state.last = Some(Instant::now());
    }

    /// Notes that the device has not come back, and says so, unless that has been done.
    pub(crate) fn report(&self, error: Error) {
        if core::mem::replace(&mut self.state.lock().reported, true) {
            return;
        }
        // SAFETY: The device is bound, as this is not paused or is called by the bus.
        let device = unsafe { &*self.vdev.as_ptr().cast::<Device<Bound>>() };
        match self.failed() {
            Some(pause) => dev_err!(
                device,
                "device does not come back from its reset ({error:?}), next try in {pause} ms\n"
            ),
            None => dev_err!(
                device,
                "device does not come back from its reset ({error:?}), given up\n"
            ),
        }
    }
}
