// SPDX-License-Identifier: GPL-2.0

//! What has been set, and telling it to a device that has been reset, or that may have understood
//! otherwise.
//!
//! Nothing is kept twice, so nothing can differ. What the stack knows is asked of the stack when it is
//! needed:
//!
//! | setting                  | kept in                                                     |
//! |--------------------------|-------------------------------------------------------------|
//! | MAC address              | `Device::mac`                                               |
//! | what to receive          | `Device::rx_mode`                                           |
//! | VLANs                    | [`Vlans`](crate::vlan::Vlans), since the stack shows none    |
//! | number of queues         | `Device::num_queues`                                        |
//! | hashes and their queues  | [`Rss`](crate::rss::Rss)                                     |
//! | interrupts               | [`Moderations`](crate::coalesce::Moderations)                |
//! | whether packets are uncut| `Device::features`                                          |
//! | sizes of the rings       | [`Rings`](crate::rings::Rings)                              |

use crate::{
    address,
    channels,
    coalesce,
    offloads,
    rx_mode,
    vlan,
    VirtioNet, //
};
use kernel::{
    net::{
        rtnl,
        Device, //
    },
    prelude::*, //
};

/// Tells a device that has started all that has been set, but for the sizes of the rings. What it
/// does not take is in the log; the rest counts all the same.
///
/// Process context. May sleep.
pub(crate) fn replay(device: &Device<VirtioNet>, rtnl: &rtnl::Held) {
    channels::start(device, rtnl);
    report(device, "offloads", offloads::replay(device));
    filters(device, rtnl);
    report(device, "interrupts", coalesce::replay(device, rtnl));
}

/// Tells a device that may have done what counts as failed all that is set, as far as there are commands for
/// it. As [`replay`].
pub(crate) fn repeat(device: &Device<VirtioNet>, rtnl: &rtnl::Held) {
    report(device, "queues", channels::repeat(device, rtnl));
    report(device, "offloads", offloads::repeat(device));
    filters(device, rtnl);
    report(device, "interrupts", coalesce::repeat(device));
}

/// Tells the device which packets to pass on.
fn filters(device: &Device<VirtioNet>, rtnl: &rtnl::Held) {
    let address = address::set(device, device.mac(rtnl));
    report(device, "MAC address", address);
    let mode = rx_mode::set(device, &device.rx_mode(rtnl));
    report(device, "filter of addresses", mode);
    report(device, "filter of VLANs", vlan::replay(device, rtnl));
}

fn report(device: &Device<VirtioNet>, what: &str, result: Result) {
    if let Err(error) = result {
        dev_err!(
            device.shared().device,
            "{what} of {} not as before: {error:?}\n",
            device.name()
        );
    }
}
