// SPDX-License-Identifier: GPL-2.0

//! An instance of devlink, from before the network device is registered until it is not any more.

use super::{
    Devlink,
    Info,
    Message, //
};
use crate::{
    bindings,
    Device, //
};
use core::{
    ffi::c_void,
    marker::PhantomData,
    mem::size_of,
    ptr::{
        from_ref,
        NonNull, //
    },
};
use dma::{
    fault,
    Attached, //
};
use kernel::{
    error::{
        from_err_ptr,
        from_result, //
    },
    fmt,
    new_mutex,
    prelude::*,
    str::{
        CStrExt, //
        CString,
    },
    sync::Mutex, //
};

/// What `devlink_health_report()` returns if it does not call `recover`. Linux 7.2 has no such error for Rust.
// CAST: It is a small positive number.
const CANCELED: c_int = -(bindings::ECANCELED as c_int);

/// An instance with its reporters. Dropping it unregisters it, if it is registered, and waits for its callbacks: process context, without
/// the locks of networking.
///
/// # Invariants
///
/// The instance is this one's own. While it is registered, so is the network device.
pub(crate) struct Instance {
    raw: NonNull<bindings::devlink>,
    registered: bool,
    /// They neither change nor move.
    entries: KVec<Entry>,
    /// The reporter of each entry, and how its part does.
    reporters: KVec<(NonNull<bindings::devlink_health_reporter>, State)>,
}

// SAFETY: What it points to is not tied to a thread.
unsafe impl Send for Instance {}

/// [`Instance::new`] for a driver.
pub(crate) type New = unsafe fn(&Attached, *mut bindings::net_device) -> Result<Instance>;

/// What the callbacks of a reporter get.
struct Entry {
    ops: bindings::devlink_health_reporter_ops,
    dev: *mut bindings::net_device,
    number: usize,
}

/// How the part of a reporter does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Well,
    /// It does not, and is to be mended.
    Mending,
    /// It does not, and is left so: a user wants that.
    Left,
}

/// What has become of a report.
pub(super) enum Noted {
    /// It has been begun to mend the device.
    Begun,
    /// That was so before.
    Again,
    /// It is left as it is.
    Left,
    /// That was so before.
    LeftBefore,
}

impl Instance {
    /// One for the network device `dev` on top of `parent`, with a reporter for each part. It is not registered.
    ///
    /// Process context. May sleep. C function: `devlink_alloc()`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EEXIST` if two parts have the same name.
    ///
    /// # Safety
    ///
    /// `dev` is a network device of `T`. It is registered while the instance is, and valid until that is dropped. `parent` stays
    /// until then.
    pub(crate) unsafe fn new<T: Devlink>(
        parent: &Attached,
        dev: *mut bindings::net_device,
    ) -> Result<Self> {
        fault::point("devlink")?;
        let size = size_of::<*mut bindings::net_device>();
        // SAFETY: The parent is valid and has a driver. What is allocated has room for the pointer.
        let raw = unsafe {
            let raw = bindings::devlink_alloc(Callbacks::<T>::OPS, size, parent.as_raw());
            let raw = NonNull::new(raw).ok_or(ENOMEM)?;
            bindings::devlink_priv(raw.as_ptr())
                .cast::<*mut bindings::net_device>()
                .write_unaligned(dev);
            raw
        };
        // INVARIANT: It has just been allocated, and is not registered.
        let mut this = Self {
            raw,
            registered: false,
            entries: KVec::new(),
            reporters: KVec::new(),
        };
        this.entries.reserve(T::REPORTERS.len(), GFP_KERNEL)?;
        this.reporters.reserve(T::REPORTERS.len(), GFP_KERNEL)?;
        for (number, reporter) in T::REPORTERS.iter().enumerate() {
            let ops = bindings::devlink_health_reporter_ops {
                name: reporter.name.as_char_ptr().cast_mut(),
                ..Callbacks::<T>::REPORTER_OPS
            };
            let entry = Entry { ops, dev, number };
            this.entries.push(entry, GFP_KERNEL)?;
        }
        for entry in &this.entries {
            // SAFETY: The instance is valid. The entry stays where it is until the reporter has been destroyed.
            let reporter = from_err_ptr(unsafe {
                bindings::devlink_health_reporter_create(
                    raw.as_ptr(),
                    &raw const entry.ops,
                    from_ref(entry).cast_mut().cast(),
                )
            })?;
            let reporter = NonNull::new(reporter).ok_or(ENOMEM)?;
            this.reporters.push((reporter, State::Well), GFP_KERNEL)?;
        }
        Ok(this)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: By the type invariant. When it has been unregistered no callback is called, and none is running.
        unsafe {
            if self.registered {
                bindings::devlink_unregister(self.raw.as_ptr());
            }
            for (reporter, _) in &self.reporters {
                bindings::devlink_health_reporter_destroy(reporter.as_ptr());
            }
            bindings::devlink_free(self.raw.as_ptr());
        }
    }
}

/// Where a network device has its instance, if it has one.
pub(crate) struct Slot(Pin<KBox<Mutex<Option<Instance>>>>);

impl Slot {
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(instance: Option<Instance>) -> Result<Self> {
        Ok(Self(KBox::pin_init(new_mutex!(instance), GFP_KERNEL)?))
    }

    /// Registers the instance. Process context, without the locks of networking. May sleep.
    ///
    /// # Safety
    ///
    /// The network device is registered, and stays so until [`unregister`](Self::unregister) has returned.
    pub(crate) unsafe fn register(&self) {
        if let Some(instance) = &mut *self.0.lock() {
            // INVARIANT: By the requirement of this function.
            instance.registered = true;
            // SAFETY: It is valid, and has not been registered.
            unsafe { bindings::devlink_register(instance.raw.as_ptr()) };
        }
    }

    /// Unregisters the instance: afterwards no callback is called, and none is running. Process context, without the locks of
    /// networking. May sleep.
    pub(crate) fn unregister(&self) {
        // Without the mutex, so that what waits for it need not wait for callbacks.
        let instance = self.0.lock().take();
        drop(instance);
    }

    /// See [`Device::report`].
    pub(super) fn report<F: fmt::Display>(
        &self,
        reporter: usize,
        text: &CString,
        fault: &F,
    ) -> Result<Noted> {
        let mut guard = self.0.lock();
        let instance = Option::as_mut(&mut *guard).filter(|instance| instance.registered);
        let reporters = &mut instance.ok_or(ENODEV)?.reporters;
        let (raw, state) = reporters.get_mut(reporter).ok_or(EINVAL)?;
        match state {
            State::Well => (),
            State::Mending => return Ok(Noted::Again),
            State::Left => return Ok(Noted::LeftBefore),
        }
        // With the mutex held: who mends the device at once says so after this.
        // SAFETY: The reporter exists and its instance is registered, as the mutex is held. The fault is of the type that the
        // callbacks of this driver take it for, and is not kept.
        let done = unsafe {
            bindings::devlink_health_report(
                raw.as_ptr(),
                text.as_char_ptr(),
                from_ref(fault).cast_mut().cast(),
            )
        };
        // `recover` returns neither of these: it has not been called.
        if done == 0 || done == CANCELED {
            *state = State::Left;
            Ok(Noted::Left)
        } else {
            *state = State::Mending;
            Ok(Noted::Begun)
        }
    }

    /// See [`Device::recovered`].
    pub(super) fn recovered(&self) {
        if let Some(instance) = &mut *self.0.lock() {
            for reporter in 0..instance.reporters.len() {
                instance.well(reporter, true);
            }
        }
    }

    /// See [`Device::is_well`].
    pub(super) fn is_well(&self, reporter: usize) {
        if let Some(instance) = &mut *self.0.lock() {
            instance.well(reporter, false);
        }
    }
}

impl Instance {
    /// The part of this number does well, since it has been mended if `mended`.
    fn well(&mut self, reporter: usize, mended: bool) {
        let Some((raw, state)) = self.reporters.get_mut(reporter) else {
            return;
        };
        if core::mem::replace(state, State::Well) == State::Well {
            return;
        }
        // SAFETY: The reporter exists. Its instance is registered, as something was reported and whoever unregisters it has it from its
        // slot.
        unsafe {
            if mended {
                bindings::devlink_health_reporter_recovery_done(raw.as_ptr());
            }
            bindings::devlink_health_reporter_state_update(
                raw.as_ptr(),
                bindings::devlink_health_reporter_state_DEVLINK_HEALTH_REPORTER_STATE_HEALTHY,
            );
        }
    }
}

/// The callbacks for the driver `T`. devlink calls them with the lock of the instance, while that is registered.
struct Callbacks<T: Devlink>(PhantomData<T>);

impl<T: Devlink> Callbacks<T> {
    const OPS: &'static bindings::devlink_ops = &bindings::devlink_ops {
        info_get: Some(Self::info_get),
        ..pin_init::zeroed()
    };

    const REPORTER_OPS: bindings::devlink_health_reporter_ops =
        bindings::devlink_health_reporter_ops {
            recover: Some(Self::recover),
            dump: Some(Self::dump),
            diagnose: Some(Self::diagnose),
            ..pin_init::zeroed()
        };

    /// The device of a reporter, and its number.
    ///
    /// # Safety
    ///
    /// `reporter` is one of an instance of `T`, which is registered for the lifetime.
    unsafe fn of<'a>(
        reporter: *mut bindings::devlink_health_reporter,
    ) -> (&'a Device<T>, Option<&'static super::Reporter<T>>) {
        // SAFETY: By the requirement of this function.
        unsafe {
            let entry: *const Entry = bindings::devlink_health_reporter_priv(reporter).cast();
            let number = (*entry).number;
            (Device::from_raw((*entry).dev), T::REPORTERS.get(number))
        }
    }

    /// `info_get`.
    ///
    /// # Safety
    ///
    /// See the type. `request` is valid.
    unsafe extern "C" fn info_get(
        devlink: *mut bindings::devlink,
        request: *mut bindings::devlink_info_req,
        _extack: *mut bindings::netlink_ext_ack,
    ) -> c_int {
        from_result(|| {
            // SAFETY: By the requirements of this function. The pointer has been written by `Instance::new`.
            let (device, mut info) = unsafe {
                let dev = bindings::devlink_priv(devlink).cast::<*mut bindings::net_device>();
                let info = Info::new(NonNull::new(request).ok_or(EINVAL)?);
                (Device::<T>::from_raw(dev.read_unaligned()), info)
            };
            T::identify(device, &mut info)?;
            Ok(0)
        })
    }

    /// `diagnose`.
    ///
    /// # Safety
    ///
    /// See the type. `message` is valid.
    unsafe extern "C" fn diagnose(
        reporter: *mut bindings::devlink_health_reporter,
        message: *mut bindings::devlink_fmsg,
        _extack: *mut bindings::netlink_ext_ack,
    ) -> c_int {
        // SAFETY: By the requirements of this function.
        from_result(|| unsafe { Self::write(reporter, message, None) })
    }

    /// `dump`.
    ///
    /// # Safety
    ///
    /// See the type. `message` is valid; `fault` is null, or valid and a fault of this driver.
    unsafe extern "C" fn dump(
        reporter: *mut bindings::devlink_health_reporter,
        message: *mut bindings::devlink_fmsg,
        fault: *mut c_void,
        _extack: *mut bindings::netlink_ext_ack,
    ) -> c_int {
        // SAFETY: By the requirements of this function.
        from_result(|| unsafe { Self::write(reporter, message, fault.cast::<T::Fault>().as_ref()) })
    }

    /// # Safety
    ///
    /// As for [`diagnose`](Self::diagnose).
    unsafe fn write(
        reporter: *mut bindings::devlink_health_reporter,
        message: *mut bindings::devlink_fmsg,
        fault: Option<&T::Fault>,
    ) -> Result<c_int> {
        // SAFETY: By the requirement of this function.
        let ((device, reporter), mut message) = unsafe {
            let message = Message::new(NonNull::new(message).ok_or(EINVAL)?);
            (Self::of(reporter), message)
        };
        if let Some(fault) = fault {
            message.text(c"fault", &CString::try_from_fmt(fmt!("{fault}"))?);
        }
        (reporter.ok_or(EINVAL)?.diagnose)(device, &mut message);
        Ok(0)
    }

    /// `recover`. What is done takes time, so that it is never done when this returns.
    ///
    /// # Safety
    ///
    /// See the type. `fault` is null, or valid and a fault of this driver.
    unsafe extern "C" fn recover(
        reporter: *mut bindings::devlink_health_reporter,
        fault: *mut c_void,
        _extack: *mut bindings::netlink_ext_ack,
    ) -> c_int {
        // SAFETY: By the requirements of this function.
        let ((device, _), fault) =
            unsafe { (Self::of(reporter), fault.cast::<T::Fault>().as_ref()) };
        match T::recover(device, fault) {
            // CAST: It is a small positive number.
            Ok(()) => -(bindings::EINPROGRESS as c_int),
            Err(error) if error.to_errno() == CANCELED => EIO.to_errno(),
            Err(error) => error.to_errno(),
        }
    }
}
