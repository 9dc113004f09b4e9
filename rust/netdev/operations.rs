// SPDX-License-Identifier: GPL-2.0

//! The operations that a driver has besides those of [`Driver`].

use crate::{
    bindings,
    cpu,
    devlink,
    ethtool::EthtoolOps,
    ops::Ops,
    stats::{
        RxReported,
        TxReported, //
    },
    xsk,
    Device,
    Driver,
    Locked, //
};

/// What the device has counted, of one queue or of none: see [`DeviceReports`](crate::stats::DeviceReports).
type Reported<T, R> = fn(&Locked<'_, T>, Option<u16>) -> R;

/// What a driver can do, in the form that the stack takes: see [`Driver::OPERATIONS`].
///
/// Each function of this type adds a subject, whose trait the driver implements.
pub struct Operations<T: Driver> {
    pub(crate) netdev: bindings::net_device_ops,
    pub(crate) ethtool: bindings::ethtool_ops,
    pub(crate) rx_reported: Option<Reported<T, RxReported>>,
    pub(crate) tx_reported: Option<Reported<T, TxReported>>,
    pub(crate) service: Option<fn(&Device<T>)>,
    pub(crate) xsk: Option<xsk::Setup<T>>,
    pub(crate) cpus_changed: Option<cpu::Callback>,
    pub(crate) devlink: Option<devlink::New>,
}

impl<T: Driver> Default for Operations<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Driver> Operations<T> {
    /// What each driver has.
    pub const fn new() -> Self {
        Self {
            netdev: Ops::<T>::NET_DEVICE_OPS,
            ethtool: EthtoolOps::<T>::OPS,
            rx_reported: None,
            tx_reported: None,
            service: None,
            xsk: None,
            cpus_changed: None,
            devlink: None,
        }
    }
}
