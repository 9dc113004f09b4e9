// SPDX-License-Identifier: GPL-2.0

//! Virtio device IDs.
//!
//! The kernel crate's own table type is not used: it changed between the releases that are
//! supported, and all that it adds is a word of driver data, which virtio IDs do not have.

use crate::bindings;

/// Abstraction of `struct virtio_device_id`: a device type of any vendor.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct DeviceId(bindings::virtio_device_id);

impl DeviceId {
    /// A network device (virtio 1.3, section 5.1).
    pub const NET: Self = Self(bindings::virtio_device_id {
        device: bindings::VIRTIO_ID_NET,
        vendor: bindings::VIRTIO_DEV_ANY_ID,
    });

    const END: Self = Self(bindings::virtio_device_id {
        device: 0,
        vendor: 0,
    });
}

/// The device types that a driver serves, as C wants them: an array that ends in zeros.
#[repr(C)]
pub struct IdArray<const N: usize> {
    ids: [DeviceId; N],
    end: DeviceId,
}

impl<const N: usize> IdArray<N> {
    /// The array of `ids`.
    pub const fn new(ids: [DeviceId; N]) -> Self {
        Self {
            ids,
            end: DeviceId::END,
        }
    }

    /// The table that the bus looks through.
    pub const fn table(&'static self) -> IdTable {
        IdTable(core::ptr::from_ref(self).cast())
    }
}

/// A table of the device types that a driver serves, see [`IdArray`].
///
/// # Invariants
///
/// It points to an [`IdArray`], which lives for ever.
pub struct IdTable(*const bindings::virtio_device_id);

impl IdTable {
    pub(crate) const fn as_ptr(&self) -> *const bindings::virtio_device_id {
        self.0
    }
}
