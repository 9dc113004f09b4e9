// SPDX-License-Identifier: GPL-2.0

//! Suspending the machine, saving it to disk, and resetting the device: it loses its queues and all that is set
//! in it, and gets them back. The interface stays.
//!
//! `freeze` takes the control queue away, so that commands fail at once. Then it marks the interface as absent, stops all queues,
//! takes their states from their places and
//! drops them, by the destructors that unbinding has: the device is reset, and with the last handle the virtqueues
//! are deleted. Packets that were in a queue count as `tx_dropped`. The control queue and the vectors are dropped
//! too. No lock is held where the device is reset.
//!
//! `restore` makes queues as probe does ([`Queues::find`](crate::queues::Queues::find)), has NAPI free what they
//! send as far as it did so before, lets the device start, sends it all that was set
//! ([`settings`]), and opens the interface again if it is up. C tells the device the number of
//! queues only. What the device refuses now is in the log, a line for each, and the rest counts. The sizes of the
//! rings come after that, since a ring is resized by a reset of its queue, which the device must know by then. Nobody else has the
//! locks in between.
//!
//! If queues cannot be made, the interface stays absent: it can be set down, not up, and the device can be unbound.
//! It is tried again after a pause, a few times, and the next time that the machine wakes up.

use crate::{
    control::Control,
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
    net::Registration,
    prelude::*,
    virtio::Device, //
};

/// Takes the device out of use. What is set stays known, see [`settings`].
///
/// Process context. May sleep. Takes the rtnl lock. C function: `virtnet_freeze()`.
pub(crate) fn freeze(netdev: &Registration<VirtioNet>) {
    let shared = netdev.shared();
    // It is dropped at the end: a device in reset must not be told of packets.
    let _control = shared.control.as_ref().and_then(Control::freeze);

    netdev.freeze();
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
    shared.health.renew();
    shared.affinity.thaw(queues.vectors);
    if let (Some(control), Some(queue)) = (&shared.control, queues.control) {
        control.thaw(queue);
    }
    netdev
        .thaw(queues.pairs, |netdev, rtnl| {
            device.ready();
            settings::restore(netdev, rtnl);
            // The rings are as large as can be now. What cannot be done is in the log; they work all the
            // same.
            let _ = rings::set(netdev, sizes);
            xsk::restore(netdev, rtnl);
        })
        .inspect_err(|_| freeze(netdev))?;
    // If the outcome of a command is unknown, the device is resynchronised when others have the lock too.
    link::renew(netdev);
    netdev.recovered();
    Ok(())
}
