// SPDX-License-Identifier: GPL-2.0

//! Which port of a NIC a network device is.

use crate::{
    bindings,
    not_supported,
    ops::Ops,
    Device,
    Driver,
    Operations, //
};
use core::ffi::CStr;
use kernel::{
    ffi::c_char,
    prelude::*, //
};

/// A driver that tells the devices of one NIC apart.
pub trait PhysPort: Driver {
    /// What the port is called, if it is one of several: udev appends it to the name of the interface.
    ///
    /// `ndo_get_phys_port_name`: process context.
    fn phys_port_name(device: &Device<Self>) -> Option<&'static CStr>;
}

impl<T: PhysPort> Operations<T> {
    /// Ports have names.
    pub const fn phys_port(mut self) -> Self {
        self.netdev.ndo_get_phys_port_name = Some(Ops::<T>::get_phys_port_name);
        self
    }
}

impl<T: PhysPort> Ops<T> {
    /// `ndo_get_phys_port_name`.
    ///
    /// # Safety
    ///
    /// See [`Ops`]. `name` has room for `len` bytes.
    unsafe extern "C" fn get_phys_port_name(
        dev: *mut bindings::net_device,
        name: *mut c_char,
        len: usize,
    ) -> c_int {
        // SAFETY: See the type.
        let device = unsafe { Device::<T>::from_raw(dev) };
        let Some(found) = T::phys_port_name(device) else {
            return not_supported().to_errno();
        };
        let bytes = found.to_bytes_with_nul();
        if bytes.len() > len {
            return not_supported().to_errno();
        }
        // SAFETY: By the requirements of this function there is the room.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), name.cast(), bytes.len()) };
        0
    }
}
