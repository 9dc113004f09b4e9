// SPDX-License-Identifier: GPL-2.0

//! What has been set, and sending it to a device that has been reset (restore), or that may have something
//! else set (resync).
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
//! | queues for frames        | [`FramePairs`](crate::channels::frames::FramePairs)          |
//! | hashes and their queues  | [`Rss`](crate::rss::Rss)                                     |
//! | interrupts               | [`Moderations`](crate::coalesce::Moderations)                |
//! | receiving GSO packets    | `Device::features`                                          |
//! | sizes of the rings       | [`Rings`](crate::rings::Rings)                              |

use crate::{
    address,
    channels,
    coalesce,
    control,
    health,
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
        Device,
        Locked, //
    },
    prelude::*, //
};

impl net::Serviced for VirtioNet {
    fn service(device: &Device<Self>) {
        let news = link::take_news(device);
        health::look(device, news);
        if news {
            link::update(device);
        }
        control::resync(device);
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

/// Restores all that has been set in a device that has started, but for the sizes of the rings. What it
/// does not take is in the log; the rest counts all the same. It has as long for all of that as for a single
/// command otherwise; what is left then is resynchronised later, when others can have the rtnl lock in between.
///
/// Process context. May sleep.
pub(crate) fn restore(device: &Locked<'_, VirtioNet>, rtnl: &rtnl::Held) {
    control::with_deadline(device, || {
        channels::start(device, rtnl);
        report(device, "offloads", &offloads::restore(device));
        let address = address::set(device, device.mac(rtnl));
        report(device, "MAC address", &address);
        let mode = rx_mode::set(device, &device.rx_mode(rtnl));
        report(device, "filter of addresses", &mode);
        report(device, "filter of VLANs", &vlan::restore(device, rtnl));
        report(device, "interrupts", &coalesce::restore(device));
    });
}

/// Resynchronises a device that may have done what counts as failed: sends a part of what is set, as far as there are
/// commands for it. Returns what has become of that, and the next part if there is one. As [`restore`].
pub(crate) fn resync(
    device: &Locked<'_, VirtioNet>,
    part: Part,
    rtnl: &rtnl::Held,
) -> (Result, Option<Part>) {
    let (what, result, next) = match part {
        Part::Queues => ("queues", channels::resync(device), Some(Part::Offloads)),
        Part::Offloads => ("offloads", offloads::resync(device), Some(Part::Address)),
        Part::Address => {
            let result = address::set(device, device.mac(rtnl));
            ("MAC address", result, Some(Part::Filter))
        }
        Part::Filter => {
            let result = rx_mode::set(device, &device.rx_mode(rtnl));
            ("filter of addresses", result, Some(Part::Vlan(0)))
        }
        Part::Vlan(from) => match vlan::resync(device, from, rtnl) {
            Some((vid, result)) => {
                let next = Part::Vlan(vid.saturating_add(1));
                ("filter of VLANs", result, Some(next))
            }
            None => ("filter of VLANs", Ok(()), Some(Part::Interrupts)),
        },
        Part::Interrupts => {
            let next = coalesce::has_own(device, 0).then_some(Part::InterruptsOf(0));
            ("interrupts", coalesce::resync(device), next)
        }
        Part::InterruptsOf(pair) => {
            let next = pair.saturating_add(1);
            let result = coalesce::resync_own(device, pair);
            let next = coalesce::has_own(device, next).then_some(Part::InterruptsOf(next));
            ("interrupts", result, next)
        }
    };
    report(device, what, &result);
    (result, next)
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
