// SPDX-License-Identifier: GPL-2.0

//! How long the configuration space of a device is.
//!
//! The virtio core does not say, and the transport over PCI ends in a `BUG()` where more is read than there is.
//! So it is looked up where the transport has it from: in the capability of the PCI function that says where the
//! space is (virtio 1.3, section 4.1.4). Of a legacy device it is the rest of its first BAR, behind which ports of
//! others may be (section 4.1.4.10). Other transports do not know a length: what is read there beyond the
//! end of the space is up to the device.
//!
//! C files: [`drivers/virtio/virtio_pci_modern_dev.c`](srctree/drivers/virtio/virtio_pci_modern_dev.c),
//! [`drivers/virtio/virtio_pci_legacy.c`](srctree/drivers/virtio/virtio_pci_legacy.c)

use crate::Device;
use kernel::device::Bound;

/// The length of the configuration space of `device`, in bytes, if its transport has one.
///
/// Process context.
#[cfg(CONFIG_PCI)]
pub(crate) fn of(device: &Device<Bound>) -> Option<u32> {
    let function = pci::Function::of(device)?;
    // Of the two ways in which that driver speaks to a device, the older one has no generation.
    if device.ops().generation.is_none() {
        Some(function.legacy_length())
    } else {
        function.length()
    }
}

#[cfg(not(CONFIG_PCI))]
pub(crate) fn of(_device: &Device<Bound>) -> Option<u32> {
    None
}

#[cfg(CONFIG_PCI)]
mod pci {
    use super::{
        Bound,
        Device, //
    };
    use crate::bindings;
    use core::marker::PhantomData;
    use kernel::{
        container_of,
        prelude::*,
        str::CStr, //
    };

    /// The driver that makes virtio devices of PCI functions.
    const TRANSPORT: &CStr = c"virtio-pci";

    /// The largest part of the space that it maps, in bytes.
    const MOST: u32 = bindings::PAGE_SIZE as u32;

    /// The PCI function that a virtio device is, by that driver.
    ///
    /// # Invariants
    ///
    /// The pointer is valid for the lifetime.
    pub(super) struct Function<'a>(*mut bindings::pci_dev, PhantomData<&'a Device<Bound>>);

    impl<'a> Function<'a> {
        pub(super) fn of(device: &'a Device<Bound>) -> Option<Self> {
            // SAFETY: The device is valid. A parent is set before a device is registered, and stays for as long
            // as its child. A driver that has made a virtio device stays bound to its own one, and its name the
            // same, until after the virtio device is unbound.
            unsafe {
                let parent = (*device.as_raw()).dev.parent;
                if parent.is_null() || !bindings::dev_is_pci(parent) {
                    return None;
                }
                let driver = (*parent).driver;
                if driver.is_null() || CStr::from_char_ptr((*driver).name) != TRANSPORT {
                    return None;
                }
                // INVARIANT: All devices of the PCI bus are in such a structure. It lives as long as they.
                let function = container_of!(parent, bindings::pci_dev, dev);
                Some(Self(function, PhantomData))
            }
        }

        /// The length of the space that belongs to the device, as the transport has found it.
        ///
        /// C functions: `virtio_pci_find_capability()`, `vp_modern_map_capability()`.
        pub(super) fn length(&self) -> Option<u32> {
            // No list has more. A device that changes it meanwhile could have it followed for ever.
            self.capabilities()
                .take(bindings::PCI_CFG_SPACE_SIZE as usize)
                .find(|&at| self.is_used(at))
                .map(|at| self.u32(at, bindings::VIRTIO_PCI_CAP_LENGTH).min(MOST))
        }

        /// The length of the space of a legacy device. C macro: `VIRTIO_PCI_CONFIG_OFF()`.
        pub(super) fn legacy_length(&self) -> u32 {
            // SAFETY: By the type invariant; there is such a BAR.
            let (bar, msix) = unsafe {
                (
                    bindings::pci_resource_len(self.0, 0),
                    (*self.0).msix_enabled(),
                )
            };
            let registers = if msix == 0 { 20 } else { 24 };
            u32::try_from(bar)
                .unwrap_or(u32::MAX)
                .saturating_sub(registers)
        }

        /// Where the capabilities of virtio, and of all others whose meaning is their vendor's, are.
        fn capabilities(&self) -> impl Iterator<Item = u8> + '_ {
            let kind = bindings::PCI_CAP_ID_VNDR as c_int;
            let there = |at: u8| (at != 0).then_some(at);
            // SAFETY: By the type invariant, as below.
            let first = there(unsafe { bindings::pci_find_capability(self.0, kind) });
            core::iter::successors(first, move |&at| {
                // SAFETY: As above.
                there(unsafe { bindings::pci_find_next_capability(self.0, at, kind) })
            })
        }

        /// Whether the transport takes the capability for the one that has the space of the device.
        fn is_used(&self, at: u8) -> bool {
            let bar = self.u8(at, bindings::VIRTIO_PCI_CAP_BAR);
            u32::from(bar) < bindings::PCI_STD_NUM_BARS
                && u32::from(self.u8(at, bindings::VIRTIO_PCI_CAP_CFG_TYPE))
                    == bindings::VIRTIO_PCI_CAP_DEVICE_CFG
                // SAFETY: By the type invariant; there is such a BAR.
                && unsafe { bindings::pci_resource_len(self.0, bar.into()) } != 0
        }

        /// A field of the capability at `at`; all ones if it cannot be read.
        fn u8(&self, at: u8, field: u32) -> u8 {
            let mut value = u8::MAX;
            // SAFETY: By the type invariant. No sum is too large: the field is one of a few.
            unsafe {
                bindings::pci_read_config_byte(self.0, c_int::from(at) + field as c_int, &mut value)
            };
            value
        }

        /// As [`u8`](Self::u8).
        fn u32(&self, at: u8, field: u32) -> u32 {
            let mut value = u32::MAX;
            // SAFETY: As there.
            unsafe {
                bindings::pci_read_config_dword(
                    self.0,
                    c_int::from(at) + field as c_int,
                    &mut value,
                )
            };
            value
        }
    }
}
