// SPDX-License-Identifier: GPL-2.0

//! The state of the link.

use crate::{
    config,
    features,
    VirtioNet, //
};
use kernel::net::Device;

/// Takes over the link state that the device reports: up, if it reports none.
///
/// Process context. May sleep. C function: `virtnet_config_changed_work()`.
pub(crate) fn update(device: &Device<VirtioNet>) {
    let virtio = &device.shared().device;
    // A device that cannot be read has said so in the log, and is not one to send to.
    let up = !virtio.has(features::STATUS)
        || virtio
            .read_config(&config::STATUS)
            .is_ok_and(|status| status & config::STATUS_LINK_UP != 0);

    if up {
        device.carrier_on();
    } else {
        device.carrier_off();
    }
}
