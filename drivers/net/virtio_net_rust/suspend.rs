// SPDX-License-Identifier: GPL-2.0

//! Suspending the machine, and saving it to disk: the device loses its queues and all that is set
//! in it, and gets them back. The interface stays.
//!
//! `freeze` marks the interface as absent and stops all queues. Then it takes their states from their places and
//! drops them, by the destructors that unbinding has: the device is reset, and with the last handle the virtqueues
//! are deleted. Packets that were in a queue count as `tx_dropped`. The control queue and the vectors are dropped
//! too, so commands fail meanwhile.
//!
//! `restore` makes queues as probe does ([`Queues::find`](crate::queues::Queues::find)), has NAPI free what they
//! send as far as it did so before, lets the device start, sends it all that was set
//! ([`settings`]), and opens the interface again if it is up. C tells the device the number of
//! queues only. What the device refuses now is in the log, a line for each, and the rest counts. The sizes of the
//! rings come last, since a ring is resized by a reset of its queue, which the device must know by then.
//!
//! If queues cannot be made, the interface stays absent: it can be set down, not up, and the device can be unbound.
//! The next time that the machine wakes up, it is tried again.

use crate::{
    link,
    queues::{
        self,
        Queues, //
    },
    rings,
    settings,
    xsk,
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

    shared.moderation.renew(&mut queues.pairs)?;
    // All that is new has been made. The point of no return is in `Device::thaw`; what comes before it is undone by `freeze`.
    shared.rings.renew(&queues.pairs);
    shared.affinity.thaw(queues.vectors);
    if let (Some(control), Some(queue)) = (&shared.control, queues.control) {
        control.thaw(queue);
    }
    netdev
        .thaw(queues.pairs, |netdev, rtnl| {
            device.ready();
            settings::restore(netdev, rtnl);
            xsk::restore(netdev, rtnl);
        })
        .inspect_err(|_| freeze(netdev))?;
    // The rings are as large as can be now. What cannot be done is in the log; they work all the
    // same.
    let rtnl = rtnl::lock();
    let _ = rings::set(&netdev.lock(&rtnl), sizes);
    // If the outcome of a command is unknown, the device is resynchronised when others have the lock too.
    link::changed(netdev);
    Ok(())
}
