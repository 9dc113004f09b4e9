// SPDX-License-Identifier: GPL-2.0

//! The virtio device.

use crate::{
    bindings,
    fault, //
};
use core::{
    marker::PhantomData,
    mem::offset_of,
    ptr::addr_of_mut, //
};
use kernel::{
    device::{
        self,
        Bound,
        DeviceContext,
        Normal, //
    },
    prelude::*,
    str::CStr,
    time::{
        delay::fsleep,
        Delta, //
    },
    types::Opaque, //
};

/// How long a device may take to come out of a reset whose transport does not wait for it, in milliseconds.
const RESET_MS: u32 = 1000;

/// Abstraction of `struct virtio_device`.
///
/// # Invariants
///
/// The wrapped `struct virtio_device` has been registered by its transport. With a context other
/// than [`Normal`] it is bound to a driver for as long as the reference lives.
#[repr(transparent)]
pub struct Device<Ctx: DeviceContext = Normal>(Opaque<bindings::virtio_device>, PhantomData<Ctx>);

impl<Ctx: DeviceContext> Device<Ctx> {
    #[inline]
    pub(crate) fn as_raw(&self) -> *mut bindings::virtio_device {
        self.0.get()
    }

    /// The operations that the transport gives the device.
    pub(crate) fn ops(&self) -> &bindings::virtio_config_ops {
        // SAFETY: By the type invariant the device is valid. Each transport sets `config` before it
        // registers the device, to a structure that outlives it.
        unsafe { &*(*self.as_raw()).config }
    }
}

impl Device {
    /// The number of the device on the virtio bus, from 0.
    pub fn index(&self) -> i32 {
        // SAFETY: By the type invariant `self.as_raw()` is valid; the field does not change.
        unsafe { (*self.as_raw()).index }
    }

    /// The vendor of the device, and its type (virtio 1.3, section 5).
    pub fn id(&self) -> (u32, u32) {
        // SAFETY: By the type invariant `self.as_raw()` is valid; the field does not change.
        let id = unsafe { (*self.as_raw()).id };
        (id.vendor, id.device)
    }

    /// Where the device sits, by the name of its parent bus: a PCI address, for instance.
    pub fn bus_name(&self) -> &CStr {
        // SAFETY: By the type invariant `self.as_raw()` is valid. The name is that of a parent
        // device, which its child keeps alive, or a constant.
        unsafe { CStr::from_char_ptr(bindings::virtio_bus_name(self.as_raw())) }
    }
}

impl Device<Bound> {
    /// Tells the device that the driver is ready to drive it (sets `DRIVER_OK`).
    ///
    /// Does nothing if that has been said already. Process context. May sleep.
    pub fn ready(&self) {
        // SAFETY: By the type invariant `self.as_raw()` is valid; both operations are always there.
        unsafe {
            if let Some(get_status) = self.ops().get_status {
                if u32::from(get_status(self.as_raw())) & bindings::VIRTIO_CONFIG_S_DRIVER_OK == 0 {
                    bindings::virtio_device_ready(self.as_raw());
                }
            }
        }
    }

    /// The device status (virtio 1.3, section 2.1), unless its registers do not answer: then all bits that are read are ones.
    /// Process context: some transports sleep.
    pub fn status(&self) -> Option<u32> {
        let get_status = self.ops().get_status?;
        // SAFETY: By the type invariant `self.as_raw()` is valid.
        let status = unsafe { get_status(self.as_raw()) };
        (status != u8::MAX).then_some(status.into())
    }

    /// Whether the registers of the device answer. Those of one that is gone do not. Process context: some transports sleep.
    pub fn answers(&self) -> bool {
        self.status().is_some()
    }

    /// Whether the device says that it can do no more until it is reset (`DEVICE_NEEDS_RESET`). Process context: some
    /// transports sleep.
    pub fn needs_reset(&self) -> bool {
        let needs = |status: u32| status & bindings::VIRTIO_CONFIG_S_NEEDS_RESET != 0;
        self.status().is_some_and(needs)
    }

    /// Resets the device unless it is in reset: afterwards it has no buffer, raises no interrupt,
    /// and no callback of a virtqueue is running. It stays so: its queues are of no use any more.
    ///
    /// Returns `false` if the device does not say within a second that it is in reset: it may still access what it has. Modern
    /// PCI devices are waited for by their transport, without an end. Of one that is gone, and can access nothing, all bits are
    /// ones.
    ///
    /// Process context. May sleep.
    pub fn reset(&self) -> bool {
        let Some(get_status) = self.ops().get_status else {
            return true;
        };
        // SAFETY: By the type invariant `self.as_raw()` is valid.
        let status = || unsafe { get_status(self.as_raw()) };
        if status() != 0 {
            // SAFETY: As above.
            unsafe { bindings::virtio_reset_device(self.as_raw()) };
        }
        for _ in 0..RESET_MS {
            if matches!(status(), 0 | u8::MAX) {
                return !fault::no_reset();
            }
            fsleep(Delta::from_millis(1));
        }
        false
    }
}

// SAFETY: `Device` is a transparent wrapper of a type that does not depend on the generic argument.
kernel::impl_device_context_deref!(unsafe { Device });

impl<Ctx: DeviceContext> AsRef<device::Device<Ctx>> for Device<Ctx> {
    fn as_ref(&self) -> &device::Device<Ctx> {
        // SAFETY: By the type invariant `self.as_raw()` is valid, so the embedded device is.
        unsafe { device::Device::from_raw(addr_of_mut!((*self.as_raw()).dev)) }
    }
}

// SAFETY: `OFFSET` is the offset of the embedded `struct device`.
unsafe impl<Ctx: DeviceContext> device::AsBusDevice<Ctx> for Device<Ctx> {
    const OFFSET: usize = offset_of!(bindings::virtio_device, dev);
}

// SAFETY: A virtio device may be released from any thread.
unsafe impl Send for Device {}

// SAFETY: All methods of `Device<Normal>` may be called by several threads at a time.
unsafe impl Sync for Device {}

// SAFETY: As for `Device<Normal>`. Configuration accesses and status changes of a bound device are
// serialised by the transport or are single accesses to registers.
unsafe impl Sync for Device<Bound> {}
