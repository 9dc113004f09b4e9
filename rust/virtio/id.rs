// SPDX-License-Identifier: GPL-2.0

//! Virtio device IDs.

use crate::bindings;
use kernel::device_id::RawDeviceId;

/// Abstraction of `struct virtio_device_id`: a device type of any vendor.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct DeviceId(bindings::virtio_device_id);

impl DeviceId {
    /// A network device (virtio 1.3, section 5.1).
    pub const NET: Self = Self::of_type(bindings::VIRTIO_ID_NET);

    const fn of_type(device: u32) -> Self {
        Self(bindings::virtio_device_id {
            device,
            vendor: bindings::VIRTIO_DEV_ANY_ID,
        })
    }
}

// SAFETY: `DeviceId` is a transparent wrapper of `struct virtio_device_id` without further invariants.
unsafe impl RawDeviceId for DeviceId {
    type RawType = bindings::virtio_device_id;
}

/// A table of the device types that a driver serves.
pub type IdTable = &'static dyn kernel::device_id::IdTable<DeviceId, ()>;
