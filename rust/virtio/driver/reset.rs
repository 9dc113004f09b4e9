// SPDX-License-Identifier: GPL-2.0

//! Taking a device out of use and into use again: when the machine is suspended, when the device does not work any more
//! ([`recovery`](crate::recovery)), and when its function is reset by others.
//!
//! It is one transition, [`Driver::freeze`] and then [`Driver::restore`], and never two at a time. The bus suspends when nothing else
//! runs that could; the work of recovery and the reset of a function hold the device lock, as binding and unbinding do.
//!
//! A function is reset (by `reset` of sysfs, say) with the lock of the PCI device held and that of the virtio device not, so the driver may be unbound
//! meanwhile, or another one bound. Each callback looks, with the lock held, whether the driver has the device. The core of virtio
//! calls them without a hold on the module. They take one before they wait, which leaves it to the core to call no function
//! of a module that has been unloaded already.

use super::{
    Adapter,
    Binding,
    Driver,
    Ids, //
};
use crate::{
    bindings,
    Device, //
};
use core::{
    ptr::{
        addr_of,
        null_mut,
        NonNull, //
    },
    sync::atomic::{
        AtomicPtr,
        Ordering::{
            Acquire,
            Relaxed,
            Release, //
        },
    },
};
use kernel::{
    device::CoreInternal,
    error::{
        from_result,
        to_result, //
    },
    prelude::*, //
};

/// The driver that is registered for some device types, if it is.
pub struct Registered(AtomicPtr<bindings::virtio_driver>);

impl Registered {
    /// None is.
    #[expect(clippy::new_without_default, reason = "it is for static variables")]
    pub const fn new() -> Self {
        Self(AtomicPtr::new(null_mut()))
    }

    /// # Errors
    ///
    /// `EBUSY` if one is.
    ///
    /// # Safety
    ///
    /// `driver` is valid until [`forget`](Self::forget) is called.
    pub(super) unsafe fn set(&self, driver: *mut bindings::virtio_driver) -> Result {
        let set = self
            .0
            .compare_exchange(null_mut(), driver, Release, Relaxed);
        set.map(drop).map_err(|_| EBUSY)
    }

    /// Forgets `driver`, if it is that.
    pub(super) fn forget(&self, driver: *mut bindings::virtio_driver) {
        let _ = self
            .0
            .compare_exchange(driver, null_mut(), Relaxed, Relaxed);
    }
}

impl<T: Driver, I: Ids> Adapter<T, I> {
    /// Has the driver let go of a device, and resets that.
    fn take_out(device: &Device<CoreInternal<'_>>, binding: &Binding<T>) {
        T::freeze(device, &binding.data);
        // What is saved of the memory must not be written to any more.
        device.reset();
        // What is asked for from now on is another reset.
        binding.anchor.recovery().begin();
        // The core gives a device up that has failed to come back before; here it is tried again.
        // SAFETY: The device is valid, and nothing else is done with it.
        unsafe { (*device.as_raw()).failed = false };
    }

    /// Has the driver take a device into use that has been reset.
    fn take_in(device: &Device<CoreInternal<'_>>, binding: &Binding<T>) -> Result {
        let result = T::restore(device, &binding.data);
        if let Err(error) = result {
            device.reset();
            binding.anchor.recovery().report(error);
        }
        result
    }

    pub(super) extern "C" fn freeze_callback(vdev: *mut bindings::virtio_device) -> c_int {
        // SAFETY: The transport is being suspended, which neither probes nor removes meanwhile; or `recover` has the lock.
        let (device, binding) = unsafe { Self::bound(vdev) };
        if let Some(binding) = binding {
            Self::take_out(device, binding);
        }
        0
    }

    pub(super) extern "C" fn restore_callback(vdev: *mut bindings::virtio_device) -> c_int {
        // SAFETY: As for `freeze_callback`.
        let (device, binding) = unsafe { Self::bound(vdev) };
        from_result(|| {
            binding.map_or(Ok(()), |binding| Self::take_in(device, binding))?;
            Ok(0)
        })
    }

    /// Resets a device, and takes it into use again.
    ///
    /// # Errors
    ///
    /// `ENODEV` if its registers do not answer: it would never be seen to come out of a reset. `ETIMEDOUT` if it does not come out
    /// of it. What the core or the driver says.
    ///
    /// # Safety
    ///
    /// The device is bound to this driver, the device lock is held, and the machine is not being suspended.
    pub(super) unsafe fn recover(vdev: *mut bindings::virtio_device) -> Result {
        // SAFETY: By the requirements of this function.
        let (device, binding) = unsafe { Self::bound(vdev) };
        if !device.answers() {
            // It is another reset that may follow.
            if let Some(binding) = binding {
                binding.anchor.recovery().begin();
            }
            return Err(ENODEV);
        }
        // SAFETY: As above.
        to_result(unsafe { bindings::virtio_device_freeze(vdev) })?;
        if !device.reset() {
            return Err(ETIMEDOUT);
        }
        // SAFETY: As above.
        to_result(unsafe { bindings::virtio_device_restore(vdev) })
    }

    /// Calls `f` with the device lock held, if the device is bound to this driver then.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the module is being unloaded; what `f` says.
    ///
    /// # Safety
    ///
    /// The device is valid, and the device lock is not held by this thread.
    unsafe fn with_lock(
        vdev: *mut bindings::virtio_device,
        f: impl FnOnce(&Device<CoreInternal<'_>>, &Binding<T>) -> Result,
    ) -> Result {
        let driver = NonNull::new(I::registered().0.load(Acquire)).ok_or(ENODEV)?;
        // SAFETY: The driver is part of the module, as is what runs here.
        let driver = unsafe { addr_of!((*driver.as_ptr()).driver) };
        // SAFETY: As above. The module stays until it is put back.
        unsafe {
            if !bindings::try_module_get((*driver).owner) {
                return Err(ENODEV);
            }
            bindings::virtio_device_lock(vdev);
        }
        // SAFETY: The lock is held, so no probe or removal is under way: the device is bound if it has this driver, and stays so.
        let result = unsafe {
            if core::ptr::eq((*vdev).dev.driver, driver) {
                let (device, binding) = Self::bound(vdev);
                binding.map_or(Ok(()), |binding| f(device, binding))
            } else {
                Ok(())
            }
        };
        // SAFETY: Both have been taken above.
        unsafe {
            bindings::virtio_device_unlock(vdev);
            bindings::module_put((*driver).owner);
        }
        result
    }

    /// The function is going to be reset. Nobody is told if it is not the driver's any more: the core would let news of the
    /// configuration through then.
    pub(super) extern "C" fn reset_prepare_callback(vdev: *mut bindings::virtio_device) -> c_int {
        let take_out = |device: &Device<CoreInternal<'_>>, binding: &Binding<T>| {
            Self::take_out(device, binding);
            binding.anchor.recovery().set_out_of_use();
            Ok(())
        };
        from_result(|| {
            // SAFETY: The core calls with a valid device, and does not hold its lock.
            unsafe { Self::with_lock(vdev, take_out) }?;
            Ok(0)
        })
    }

    /// The function has been reset, and the same features as before have been negotiated.
    pub(super) extern "C" fn reset_done_callback(vdev: *mut bindings::virtio_device) -> c_int {
        let take_in = |device: &Device<CoreInternal<'_>>, binding: &Binding<T>| {
            let recovery = binding.anchor.recovery();
            if recovery.forgive() {
                return Self::take_in(device, binding);
            }
            // It has been bound since it was to be reset, so that happened to a device in use.
            recovery.request_by_hand();
            Ok(())
        };
        from_result(|| {
            // SAFETY: As for `reset_prepare_callback`.
            unsafe { Self::with_lock(vdev, take_in) }?;
            Ok(0)
        })
    }

    /// The machine is switched off, or another kernel starts: nothing is healed any more.
    pub(super) extern "C" fn shutdown_callback(vdev: *mut bindings::virtio_device) {
        // SAFETY: The bus calls with the device lock held, for a device that has this driver. What follows is what it does for a
        // driver without this callback.
        unsafe {
            if let (_, Some(binding)) = Self::bound(vdev) {
                binding.anchor.recovery().pause();
            }
            bindings::virtio_device_shutdown(vdev);
        }
    }
}
