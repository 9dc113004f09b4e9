// SPDX-License-Identifier: GPL-2.0

//! `ethtool -c` and `-C`, also with `-Q`: how long the device may put off an interrupt.

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

/// When a device raises the interrupt of a queue: at the latest of these two, whichever comes first.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Moderation {
    /// So long after a packet, in microseconds.
    pub usecs: u32,
    /// After so many packets.
    pub frames: u32,
}

/// The moderation of both directions.
#[derive(Clone, Copy)]
pub struct Coalesce {
    /// Of received packets.
    pub rx: Moderation,
    /// Whether that of received packets adapts to what is received.
    pub adaptive_rx: bool,
    /// Of sent packets.
    pub tx: Moderation,
}

impl Coalesce {
    fn read(from: &bindings::ethtool_coalesce) -> Self {
        Self {
            rx: Moderation {
                usecs: from.rx_coalesce_usecs,
                frames: from.rx_max_coalesced_frames,
            },
            adaptive_rx: from.use_adaptive_rx_coalesce != 0,
            tx: Moderation {
                usecs: from.tx_coalesce_usecs,
                frames: from.tx_max_coalesced_frames,
            },
        }
    }

    fn write(self, to: &mut bindings::ethtool_coalesce) {
        to.rx_coalesce_usecs = self.rx.usecs;
        to.rx_max_coalesced_frames = self.rx.frames;
        to.use_adaptive_rx_coalesce = self.adaptive_rx.into();
        to.tx_coalesce_usecs = self.tx.usecs;
        to.tx_max_coalesced_frames = self.tx.frames;
    }
}

/// The number of a pair of queues, if there is one of that number.
fn pair<T: Driver>(device: &Device<T>, queue: u32) -> Result<u16> {
    match u16::try_from(queue) {
        Ok(pair) if pair < device.max_queues() => Ok(pair),
        _ => Err(EINVAL),
    }
}

/// A driver whose device can put off interrupts.
pub trait Coalescing: Driver {
    /// How interrupts are put off: of all queues, or of the pair `queue`. Process context, the device
    /// locked, may sleep.
    fn coalesce(device: &Device<Self>, queue: Option<u16>) -> Coalesce;

    /// Changes how interrupts are put off: of all queues, or of the pair `queue`, which is one that
    /// there is.
    ///
    /// `set_coalesce` and `set_per_queue_coalesce` of ethtool: process context, the device locked, may sleep.
    ///
    /// # Errors
    ///
    /// Any; it stays as it is.
    fn set_coalesce(device: &Locked<'_, Self>, queue: Option<u16>, wanted: Coalesce) -> Result;
}

impl<T: Coalescing> Operations<T> {
    /// Interrupts can be put off.
    pub const fn coalescing(mut self) -> Self {
        self.ethtool.supported_coalesce_params = bindings::COALESCE_PARAMS;
        self.ethtool.get_coalesce = Some(EthtoolOps::<T>::get_coalesce);
        self.ethtool.set_coalesce = Some(EthtoolOps::<T>::set_coalesce);
        self.ethtool.get_per_queue_coalesce = Some(EthtoolOps::<T>::get_per_queue_coalesce);
        self.ethtool.set_per_queue_coalesce = Some(EthtoolOps::<T>::set_per_queue_coalesce);
        self
    }
}

impl<T: Coalescing> EthtoolOps<T> {
    /// `get_coalesce`.
    ///
    /// # Safety
    ///
    /// See the type. `coalesce` is valid for reads and writes.
    pub(super) unsafe extern "C" fn get_coalesce(
        dev: *mut kernel::bindings::net_device,
        coalesce: *mut bindings::ethtool_coalesce,
        _kernel_coalesce: *mut bindings::kernel_ethtool_coalesce,
        _extack: *mut bindings::netlink_ext_ack,
    ) -> c_int {
        // SAFETY: See the type. The stack passes a zeroed structure.
        let (device, out) = unsafe { (Device::<T>::from_raw(dev.cast()), &mut *coalesce) };
        T::coalesce(device, None).write(out);
        0
    }

    /// `set_coalesce`.
    ///
    /// # Safety
    ///
    /// See the type. `coalesce` is valid for reads.
    pub(super) unsafe extern "C" fn set_coalesce(
        dev: *mut kernel::bindings::net_device,
        coalesce: *mut bindings::ethtool_coalesce,
        _kernel_coalesce: *mut bindings::kernel_ethtool_coalesce,
        _extack: *mut bindings::netlink_ext_ack,
    ) -> c_int {
        // SAFETY: See the type. The stack holds the lock of the device during the call.
        let (device, wanted) = unsafe { (Self::locked(dev), Coalesce::read(&*coalesce)) };
        from_result(|| {
            T::set_coalesce(&device, None, wanted)?;
            Ok(0)
        })
    }

    /// `get_per_queue_coalesce`.
    ///
    /// # Safety
    ///
    /// As for [`get_coalesce`](Self::get_coalesce).
    pub(super) unsafe extern "C" fn get_per_queue_coalesce(
        dev: *mut kernel::bindings::net_device,
        queue: u32,
        coalesce: *mut bindings::ethtool_coalesce,
    ) -> c_int {
        // SAFETY: As for `get_coalesce`.
        let (device, out) = unsafe { (Device::<T>::from_raw(dev.cast()), &mut *coalesce) };
        from_result(|| {
            T::coalesce(device, Some(pair(device, queue)?)).write(out);
            Ok(0)
        })
    }

    /// `set_per_queue_coalesce`.
    ///
    /// # Safety
    ///
    /// As for [`set_coalesce`](Self::set_coalesce).
    pub(super) unsafe extern "C" fn set_per_queue_coalesce(
        dev: *mut kernel::bindings::net_device,
        queue: u32,
        coalesce: *mut bindings::ethtool_coalesce,
    ) -> c_int {
        // SAFETY: As for `set_coalesce`.
        let (device, wanted) = unsafe { (Self::locked(dev), Coalesce::read(&*coalesce)) };
        from_result(|| {
            T::set_coalesce(&device, Some(pair(&device, queue)?), wanted)?;
            Ok(0)
        })
    }
}
