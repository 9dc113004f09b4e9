// SPDX-License-Identifier: GPL-2.0

//! Standing by for another NIC (virtio 1.3, section 5.1.3, `VIRTIO_NET_F_STANDBY`).
//!
//! The kernel's `net_failover` does what there is to be done; the device only joins it.

use crate::{
    features::{
        MAC,
        STANDBY, //
    },
    VirtioNet, //
};
use core::ffi::CStr;
use kernel::{
    net::{
        failover,
        Device,
        PhysPort, //
    },
    prelude::*,
    virtio::Negotiation, //
};

impl PhysPort for VirtioNet {
    /// Its interface and that of the master have the same device below them.
    fn phys_port_name(device: &Device<Self>) -> Option<&'static CStr> {
        device.shared().device.has(STANDBY).then_some(c"sby")
    }
}

/// Does without [`STANDBY`] where it cannot be: the other NIC is known by the address, which so has to be the device's.
pub(crate) fn check(device: &Negotiation<'_>) {
    let virtio = device.device();
    if !virtio.has(STANDBY) {
        return;
    }
    let missing = if !virtio.has(MAC) {
        "the device has no MAC address"
    } else if !failover::is_available() {
        "the kernel's module net_failover cannot be loaded"
    } else {
        return;
    };
    dev_warn!(virtio, "{missing}: doing without VIRTIO_NET_F_STANDBY\n");
    device.drop(STANDBY);
}
