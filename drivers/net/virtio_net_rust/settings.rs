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
//! | receiving GSO packets    | `Device::features`                                          |
//! | sizes of the rings       | [`Rings`](crate::rings::Rings)                              |

use crate::{
    address,
    channels,
    coalesce,
    control,
    link,
    offloads,
    rx_mode,
    vlan,
    VirtioNet, //
};
use kernel::{
    net::{
        self,
        rtnl,
        Device, //
    },
    prelude::*, //
};

impl net::Serviced for VirtioNet {
    fn service(device: &Device<Self>) {
        link::update(device);
        control::settle(device);
    }
}

/// A part of what is set that takes few commands.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Part {
    /// The first one: the number of queues, and hashes.
    #[default]
    Queues,
    Offloads,
    Address,
    Filter,
    /// The first VLAN from this number on.
    Vlan(u16),
    /// Interrupts of all queues.
    Interrupts,
    /// Those of the queues of this pair.
    InterruptsOf(u16),
}

/// Tells a device that has started all that has been set, but for the sizes of the rings. What it
/// does not take is in the log; the rest counts all the same. It has as long for all of that as for a single
/// command otherwise; what is left then is told later, when others can have the rtnl lock in between.
///
/// Process context. May sleep.
pub(crate) fn replay(device: &Device<VirtioNet>, rtnl: &rtnl::Held) {
    control::together(device, || {
        channels::start(device, rtnl);
        report(device, "offloads", &offloads::replay(device));
        let address = address::set(device, device.mac(rtnl));
        report(device, "MAC address", &address);
        let mode = rx_mode::set(device, &device.rx_mode(rtnl));
        report(device, "filter of addresses", &mode);
        report(device, "filter of VLANs", &vlan::replay(device, rtnl));
        report(device, "interrupts", &coalesce::replay(device));
    });
}

/// Tells a device that may have done what counts as failed a part of what is set, as far as there are commands for
/// it. Returns what has become of that, and the next part if there is one. As [`replay`].
pub(crate) fn repeat(
    device: &Device<VirtioNet>,
    part: Part,
    rtnl: &rtnl::Held,
) -> (Result, Option<Part>) {
    let (what, told, next) = match part {
        Part::Queues => (
            "queues",
            channels::repeat(device, rtnl),
            Some(Part::Offloads),
        ),
        Part::Offloads => ("offloads", offloads::repeat(device), Some(Part::Address)),
        Part::Address => {
            let told = address::set(device, device.mac(rtnl));
            ("MAC address", told, Some(Part::Filter))
        }
        Part::Filter => {
            let told = rx_mode::set(device, &device.rx_mode(rtnl));
            ("filter of addresses", told, Some(Part::Vlan(0)))
        }
        Part::Vlan(from) => match vlan::repeat(device, from, rtnl) {
            Some((vid, told)) => {
                let next = Part::Vlan(vid.saturating_add(1));
                ("filter of VLANs", told, Some(next))
            }
            None => ("filter of VLANs", Ok(()), Some(Part::Interrupts)),
        },
        Part::Interrupts => {
            let next = coalesce::has_own(device, 0).then_some(Part::InterruptsOf(0));
            ("interrupts", coalesce::repeat(device), next)
        }
        Part::InterruptsOf(pair) => {
            let next = pair.saturating_add(1);
            let told = coalesce::repeat_own(device, pair);
            let next = coalesce::has_own(device, next).then_some(Part::InterruptsOf(next));
            ("interrupts", told, next)
        }
    };
    report(device, what, &told);
    (told, next)
}

#[inline(never)]
fn report(device: &Device<VirtioNet>, what: &str, result: &Result) {
    if let Err(error) = result {
        dev_err!(
            device.shared().device,
            "{what} of {} not as before: {error:?}\n",
            device.name()
        );
    }
}
