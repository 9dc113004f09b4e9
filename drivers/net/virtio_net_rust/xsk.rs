// SPDX-License-Identifier: GPL-2.0

//! AF_XDP without copies.
//!
//! A pool belongs to a pair of queues. The receive queue lends chunks of it instead of buffers of its own, so it is paused and
//! reset, and what has been received but not seen is lost, as with C. The transmit queue goes on: packets of sockets and of the
//! stack share it. When the pool is taken away, both are reset, the transmit queue only if the device has something.
//!
//! A pool stays bound while the interface is down, when rings are resized, and when the device loses its queues, since it is the
//! stack's to take it away; the queues get it back when they are made anew ([`restore`]).

use crate::{
    coalesce,
    rx,
    tx,
    VirtioNet, //
};
use kernel::{
    fmt,
    net::{
        self,
        not_supported,
        rtnl,
        Locked,
        XskSetup, //
    },
    prelude::*,
    virtio::{
        self,
        Feature, //
    },
};

impl net::Xsk for VirtioNet {
    fn bind(
        device: &Locked<'_, Self>,
        queue: u16,
        setup: &mut XskSetup<'_>,
        _rtnl: &rtnl::Held,
    ) -> Result {
        let shared = device.shared();
        if let Err(reason) = is_possible(&shared.mode, &shared.device) {
            return refuse(device, queue, not_supported(), format_args!("{reason}"));
        }
        let opened = device.exchange_rx(queue, |state, lent| {
            let (mut state, opened) = state.bind(|dma| {
                let packets = shared.rings.max().tx;
                setup.open(dma, shared.framing.header_len(), packets)
            });
            if lent.polled {
                state.fill(device, lent.stats, &lent.owner);
                state.notify(lent.stats);
            }
            (state, opened)
        })?;
        let tx = match opened {
            Ok(tx) => tx,
            Err(error) if error == not_supported() => {
                let reason = format_args!(
                    "its memory is not where a device without VIRTIO_F_ACCESS_PLATFORM finds it"
                );
                return refuse(device, queue, error, reason);
            }
            Err(error) => {
                return refuse(device, queue, error, format_args!("{error:?}"));
            }
        };
        // The device has forgotten it with the reset. What fails has said so.
        let _ = coalesce::restore_rx(device, queue);
        let bound = device.pause_tx(queue, tx::reclaim, |paused| paused.state.bind(tx));
        bound.and_then(|bound| bound).inspect_err(|error| {
            unbind_rx(device, queue);
            let _ = refuse(device, queue, *error, format_args!("{error:?}"));
        })
    }

    fn unbind(device: &Locked<'_, Self>, queue: u16, _rtnl: &rtnl::Held) {
        unbind_rx(device, queue);
        // A queue that is gone has let go of the pool.
        let reset = device.pause_tx(queue, tx::reclaim, |mut paused| {
            let Some(resized) = paused.state.unbind(paused.stats) else {
                return false;
            };
            if resized.released.is_some_and(|released| released != 0) {
                paused.forget_sent();
            }
            if resized.broken {
                broken(device, "transmit", queue);
            }
            !resized.broken
        });
        if reset == Ok(true) {
            let _ = coalesce::restore_tx(device, queue);
        }
    }
}

/// Has the receive queue lend buffers of its own again. One that is gone has let go of the pool.
fn unbind_rx(device: &Locked<'_, VirtioNet>, queue: u16) {
    let is_broken = device.exchange_rx(queue, |state, lent| {
        let (mut state, is_broken) = state.unbind();
        if is_broken {
            broken(device, "receive", queue);
        } else if lent.polled {
            state.fill(device, lent.stats, &lent.owner);
            state.notify(lent.stats);
        }
        (state, is_broken)
    });
    if is_broken == Ok(false) {
        let _ = coalesce::restore_rx(device, queue);
    }
}

/// Gives the queues their pools back, when they have been made anew. What fails is in the log.
pub(crate) fn restore(device: &Locked<'_, VirtioNet>, rtnl: &rtnl::Held) {
    if let Err((queue, error)) = device.restore_pools(rtnl) {
        dev_err!(
            device.shared().device,
            "queue {queue} of {} has lost its AF_XDP pool: {error:?}\n",
            device.name()
        );
    }
}

/// Whether the device can do it, or why not.
pub(crate) fn is_possible(mode: &rx::Mode, device: &virtio::Device) -> Result<(), &'static str> {
    if !mode.has_context() {
        return Err("packets are received into chains of pages");
    }
    if !device.has(Feature::RING_RESET) {
        return Err("the device cannot reset a queue (no VIRTIO_F_RING_RESET)");
    }
    Ok(())
}

/// Says in the log why a pool is not bound. The stack has no other way to tell: a socket may go on with copies.
fn refuse(
    device: &Locked<'_, VirtioNet>,
    queue: u16,
    error: Error,
    reason: fmt::Arguments<'_>,
) -> Result {
    dev_info!(
        device.shared().device,
        "no AF_XDP zero copy on queue {queue} of {}: {reason}\n",
        device.name()
    );
    Err(error)
}

fn broken(device: &Locked<'_, VirtioNet>, kind: &str, queue: u16) {
    dev_err!(
        device.shared().device,
        "{kind} queue {queue} of {} is broken, after an AF_XDP pool\n",
        device.name()
    );
}
