// SPDX-License-Identifier: GPL-2.0

//! `ethtool -g` and `ethtool -G`: the sizes of the rings.

use super::EthtoolOps;
use crate::{
    bindings,
    Device,
    Driver,
    Locked,
    Operations, //
};
use kernel::{
    error::from_result,
    prelude::*, //
};

/// The sizes of the rings of all queues, in descriptors.
#[derive(Clone, Copy)]
pub struct RingSizes {
    /// Of a receive queue.
    pub rx: u32,
    /// Of a transmit queue.
    pub tx: u32,
}

/// A driver whose rings can have other sizes.
pub trait Rings: Driver {
    /// The sizes of the rings. Process context, the device locked.
    fn ring_sizes(device: &Device<Self>) -> RingSizes;

    /// The sizes that the rings can have at most. Process context, the device locked.
    fn max_ring_sizes(device: &Device<Self>) -> RingSizes;

    /// Changes the sizes of the rings to `sizes`, which are at most the largest.
    ///
    /// `set_ringparam` of ethtool: process context, the device locked, may sleep.
    ///
    /// # Errors
    ///
    /// Any.
    fn set_ring_sizes(device: &Locked<'_, Self>, sizes: RingSizes) -> Result;
}

impl<T: Rings> Operations<T> {
    /// The rings can have other sizes.
    pub const fn rings(mut self) -> Self {
        self.ethtool.get_ringparam = Some(EthtoolOps::<T>::get_ringparam);
        self.ethtool.set_ringparam = Some(EthtoolOps::<T>::set_ringparam);
        self
    }
}

impl<T: Rings> EthtoolOps<T> {
    /// `get_ringparam`.
    ///
    /// # Safety
    ///
    /// See the type. `ring` is valid for reads and writes.
    pub(super) unsafe extern "C" fn get_ringparam(
        dev: *mut kernel::bindings::net_device,
        ring: *mut bindings::ethtool_ringparam,
        _kernel_ring: *mut bindings::kernel_ethtool_ringparam,
        _extack: *mut bindings::netlink_ext_ack,
    ) {
        // SAFETY: See the type. The stack passes a zeroed structure.
        let (device, out) = unsafe { (Device::<T>::from_raw(dev.cast()), &mut *ring) };
        let (sizes, max) = (T::ring_sizes(device), T::max_ring_sizes(device));
        out.rx_pending = sizes.rx;
        out.tx_pending = sizes.tx;
        out.rx_max_pending = max.rx;
        out.tx_max_pending = max.tx;
    }

    /// `set_ringparam`.
    ///
    /// # Safety
    ///
    /// See the type. `ring` is valid for reads.
    pub(super) unsafe extern "C" fn set_ringparam(
        dev: *mut kernel::bindings::net_device,
        ring: *mut bindings::ethtool_ringparam,
        _kernel_ring: *mut bindings::kernel_ethtool_ringparam,
        _extack: *mut bindings::netlink_ext_ack,
    ) -> c_int {
        // SAFETY: See the type. The stack holds the lock of the device during the call.
        let (device, wanted) = unsafe { (Self::locked(dev), &*ring) };
        from_result(|| {
            if wanted.rx_mini_pending != 0 || wanted.rx_jumbo_pending != 0 {
                return Err(EINVAL);
            }
            let max = T::max_ring_sizes(&device);
            if wanted.rx_pending > max.rx || wanted.tx_pending > max.tx {
                return Err(EINVAL);
            }
            let sizes = RingSizes {
                rx: wanted.rx_pending,
                tx: wanted.tx_pending,
            };
            T::set_ring_sizes(&device, sizes)?;
            Ok(0)
        })
    }
}
