// SPDX-License-Identifier: GPL-2.0

//! Suspending the machine, and saving it to disk: the device loses its queues and all that is set
//! in it, and gets them back. The interface stays.

use crate::{
    link,
    queues::{
        self,
        Queues, //
    },
    rings,
    settings,
    VirtioNet, //
};
use kernel::{
    device::Core,
    net::{
        rtnl,
        Registration, //
    },
    prelude::*,
    virtio::Device, //
};

/// Takes the device out of use. What is set stays known, see [`settings`].
///
/// Process context. May sleep. Takes the rtnl lock. C function: `virtnet_freeze()`.
pub(crate) fn freeze(netdev: &Registration<VirtioNet>) {
    let shared = netdev.shared();

    netdev.freeze();
    if let Some(control) = &shared.control {
        control.freeze();
    }
    queues::forget_irqs(netdev.allocated());
    shared.affinity.freeze();
}

/// Takes the device into use again, with all that had been set.
///
/// Process context. May sleep. Takes the rtnl lock. C function: `virtnet_restore()`, which tells the
/// device only the number of queues.
///
/// # Errors
///
/// Any: the device stays out of use. It can be unbound.
pub(crate) fn restore(device: &Device<Core<'_>>, netdev: &Registration<VirtioNet>) -> Result {
    let shared = netdev.shared();
    let sizes = shared.rings.sizes();
    let mut queues = Queues::find(
        netdev.allocated(),
        device,
        &shared.device,
        &shared.mode,
        &shared.framing,
    )?;

    shared.rings.renew(&queues.pairs);
    shared.moderation.renew(&mut queues.pairs)?;
    shared.affinity.thaw(queues.vectors);
    if let (Some(control), Some(queue)) = (&shared.control, queues.control) {
        control.thaw(queue);
    }
    netdev
        .thaw(queues.pairs, |netdev, rtnl| {
            device.ready();
            settings::restore(netdev, rtnl);
        })
        .inspect_err(|_| freeze(netdev))?;
    // The rings are as large as can be now. What cannot be done is in the log; they work all the
    // same.
    let _ = rings::set(netdev, sizes, &rtnl::lock());
    // If the outcome of a command is unknown, the device is resynchronised when others have the lock too.
    link::changed(netdev);
    Ok(())
}
