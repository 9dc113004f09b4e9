// SPDX-License-Identifier: GPL-2.0

//! What the device passes on besides packets to its own address and to all (virtio 1.3, sections
//! 5.1.6.5.1 and 5.1.6.5.2).
//!
//! The stack calls in process context (`ndo_set_rx_mode_async`), so there is no work item of our own, and the
//! command that made the change returns when the device knows. Where the call fails, since the device has not
//! answered in time, the stack repeats it with growing pauses.
//!
//! The table of addresses is sent first, then whether everything is received, then whether all groups are: C sends
//! them the other way round, and loses packets between the two where a table takes the place of everything. A table
//! that the device refuses, that there is no memory for, or that is longer than 192 KiB is made up for: the device
//! passes on everything, or all groups, and the stack drops what it does not want.

use crate::{
    address,
    control::commands::{
        SetAllMulticast,
        SetMacTable,
        SetPromiscuous, //
    },
    control::{
        Access,
        Command, //
    },
    features,
    Shared,
    VirtioNet, //
};
use kernel::{
    net::{
        self,
        Device,
        RxMode, //
    },
    prelude::*, //
};

impl net::SetRxMode for VirtioNet {
    fn set_rx_mode(device: &Device<Self>, wanted: &RxMode) -> Result {
        set(device, wanted)
    }
}

/// Has the device pass on what the stack wants.
///
/// A table that the device does not take, or that is too long, is made up for: the device passes on
/// everything, or all packets to groups, and the stack drops what it does not want. Unlike in C the
/// table comes first, so that no packet is lost on the way from everything to a table.
///
/// Process context, rtnl held, may sleep. C function: `virtnet_rx_mode_work()`.
///
/// # Errors
///
/// What [`Access::send`] says, other than that the device refuses: that is a line in the log.
pub(crate) fn set(device: &Device<VirtioNet>, wanted: &RxMode) -> Result {
    let shared = device.shared();
    let Some(control) = Access::new(device, features::CTRL_RX) else {
        return Ok(());
    };
    let mut with_own = KVec::new();
    let unicast = if address::can_be_set(&shared.device) {
        wanted.unicast.as_deref()
    } else {
        add_own(wanted, &mut with_own)
    };
    let multicast = wanted.multicast.as_deref();
    let table = SetMacTable {
        unicast: unicast.unwrap_or_default(),
        multicast: multicast.unwrap_or_default(),
    };
    let taken = send(control, shared, &table)?;
    let covers = |addresses: Option<&[_]>| addresses.is_some_and(|it| taken || it.is_empty());

    let promiscuous = wanted.promiscuous || !covers(unicast);
    let all_multicast = wanted.all_multicast || !covers(multicast);
    send(control, shared, &SetPromiscuous(promiscuous))?;
    send(control, shared, &SetAllMulticast(all_multicast))?;
    Ok(())
}

/// The addresses of stations, with the device's own, or `None` if there is no memory for them.
fn add_own<'a>(wanted: &RxMode, list: &'a mut KVec<[u8; 6]>) -> Option<&'a [[u8; 6]]> {
    let others = wanted.unicast.as_deref()?;
    list.push(wanted.own, GFP_KERNEL).ok()?;
    list.extend_from_slice(others, GFP_KERNEL).ok()?;
    Some(list)
}

/// Sends a command, and says whether the device has done it.
fn send<C: Command>(control: Access<'_>, shared: &Shared, command: &C) -> Result<bool> {
    match control.send(command) {
        Ok(()) => Ok(true),
        Err(EINVAL) => {
            dev_warn!(shared.device, "device refuses {}\n", C::NAME);
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
