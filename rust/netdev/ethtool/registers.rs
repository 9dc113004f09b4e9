// SPDX-License-Identifier: GPL-2.0

//! The registers of a device (`ethtool -d`).

use super::EthtoolOps;
use crate::{
    bindings,
    Device,
    Driver,
    Operations, //
};
use core::{
    ffi::c_void,
    mem::size_of,
    slice, //
};
use kernel::prelude::*;

/// A driver that shows the registers of its device.
pub trait Registers: Driver {
    /// Which layout they have: `version` of C's `struct ethtool_regs`.
    const VERSION: u32;

    /// How many words of 32 bits they are.
    const WORDS: u16;

    /// Writes them to `words`, which are zeroes, and fewer than [`WORDS`](Self::WORDS) if the user has asked for fewer.
    ///
    /// `get_regs` of ethtool: process context, the device locked, may sleep.
    fn registers(device: &Device<Self>, words: &mut [u32]);
}

impl<T: Registers> Operations<T> {
    /// The registers of the device are shown.
    pub const fn registers(mut self) -> Self {
        self.ethtool.get_regs_len = Some(EthtoolOps::<T>::get_regs_len);
        self.ethtool.get_regs = Some(EthtoolOps::<T>::get_regs);
        self
    }
}

impl<T: Registers> EthtoolOps<T> {
    /// `get_regs_len`, in bytes.
    ///
    /// # Safety
    ///
    /// See the type.
    unsafe extern "C" fn get_regs_len(_dev: *mut kernel::bindings::net_device) -> c_int {
        c_int::from(T::WORDS) * size_of::<u32>() as c_int
    }

    /// `get_regs`.
    ///
    /// # Safety
    ///
    /// See the type. `regs` is valid for reads and writes, and `words` for as many bytes as that says, aligned for words.
    unsafe extern "C" fn get_regs(
        dev: *mut kernel::bindings::net_device,
        regs: *mut bindings::ethtool_regs,
        words: *mut c_void,
    ) {
        // SAFETY: See the type. The stack has cleared a whole number of pages for the words, and passes nothing else in them.
        let (device, regs, words) = unsafe {
            let regs = &mut *regs;
            let len = regs.len as usize / size_of::<u32>();
            let words = slice::from_raw_parts_mut(words.cast::<u32>(), len);
            (Device::<T>::from_raw(dev.cast()), regs, words)
        };
        regs.version = T::VERSION;
        T::registers(device, words);
    }
}
