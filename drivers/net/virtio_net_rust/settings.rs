// SPDX-License-Identifier: GPL-2.0

//! What has been set, and telling it to a device that has been reset.
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
    let shared = device.shared();
    let report = |what, result: Result| {
        if let Err(error) = result {
            dev_err!(
                shared.device,
                "{what} of {} not as before: {error:?}\n",
                device.name()
            );
        }
    };

    channels::start(device, rtnl);
    report("MAC address", address::set(shared, device.mac(rtnl)));
    report("offloads", offloads::replay(device));
    report(
        "filter of addresses",
        rx_mode::set(device, &device.rx_mode(rtnl)),
    );
    report("filter of VLANs", vlan::replay(shared));
    report("interrupts", coalesce::replay(device, rtnl));
}
