// SPDX-License-Identifier: GPL-2.0

//! What devlink shows of a device: what it is, and how its parts do.

use super::{
    resets::{
        by_hand,
        reset,
        Fault, //
    },
    Ring, //
};
use crate::{
    control,
    rx,
    tx::watch,
    VirtioNet, //
};
use kernel::{
    net::{
        self,
        devlink::{
            Info,
            Message,
            Reporter, //
        },
        Device, //
    },
    prelude::*,
    str::CString,
    virtio::Feature, //
};

/// A part of a device that has a health reporter. The number is that among the reporters.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Tx,
    Rx,
    Ctrl,
    Device,
}

impl Part {
    pub(super) const ALL: [Self; 4] = [Self::Tx, Self::Rx, Self::Ctrl, Self::Device];
}

impl net::Devlink for VirtioNet {
    type Fault = Fault;

    const REPORTERS: &'static [Reporter<Self>] = &[
        Reporter {
            name: c"tx",
            diagnose: tx_queues,
        },
        Reporter {
            name: c"rx",
            diagnose: rx_queues,
        },
        Reporter {
            name: c"ctrl",
            diagnose: control_queue,
        },
        Reporter {
            name: c"device",
            diagnose: whole,
        },
    ];

    fn identify(device: &Device<Self>, info: &mut Info<'_>) -> Result {
        let virtio = &device.shared().device;
        let (vendor, kind) = virtio.id();
        let either = |feature, yes, no| if virtio.has(feature) { yes } else { no };
        let id = CString::try_from_fmt(fmt!("{vendor:04x}:{kind:04x}"))?;
        info.fixed(c"board.id", &id)?;
        info.running(c"virtio", either(Feature::VERSION_1, c"1", c"legacy"))?;
        let ring = either(Feature::RING_PACKED, c"packed", c"split");
        info.running(c"virtio.ring", ring)?;
        info.running(c"virtio.features", &negotiated(device)?)
    }

    fn recover(device: &Device<Self>, fault: Option<&Fault>) -> Result {
        match fault {
            Some(&fault) => reset(device, fault),
            None => by_hand(device),
        }
    }
}

/// The features that have been negotiated, in hexadecimal.
fn negotiated(device: &Device<VirtioNet>) -> Result<CString> {
    let [low, high] = device.shared().device.features();
    let all = u128::from(high) << 64 | u128::from(low);
    CString::try_from_fmt(fmt!("{all:#x}"))
}

/// Each transmit queue as it is now.
fn tx_queues(device: &Device<VirtioNet>, message: &mut Message<'_>) {
    message.list(c"queues", |list| {
        for (queue, stats) in (0..device.max_queues()).zip(device.tx_stats()) {
            let mut found = None;
            device.glance_tx(queue, |tx| found = Some(watch::describe(tx)));
            list.object(|message| {
                message.number(c"queue", queue.into());
                let Some(found) = found else {
                    return message.text(c"state", c"out of use");
                };
                let state = if found.broken { c"broken" } else { c"in use" };
                message.text(c"state", state);
                found.ring.show(message);
                message.number(c"silent", found.silent.into());
                message.number(c"sent", stats.packets.get());
                message.number(c"kicks", stats.kicks.get());
            });
        }
    });
}

/// Each receive queue that is used, as it was at the last glance.
fn rx_queues(device: &Device<VirtioNet>, message: &mut Message<'_>) {
    let watches = &device.shared().health.rx;
    message.list(c"queues", |list| {
        for (queue, stats) in (0..device.num_queues()).zip(device.rx_stats()) {
            list.object(|message| {
                message.number(c"queue", queue.into());
                match watches.seen(queue) {
                    rx::watch::Seen::Unknown => message.text(c"state", c"not looked at yet"),
                    rx::watch::Seen::Broken(ring) => {
                        message.text(c"state", c"broken");
                        ring.show(message);
                    }
                    rx::watch::Seen::InUse { ring, waiting } => {
                        message.text(c"state", if waiting { c"not taken" } else { c"in use" });
                        ring.show(message);
                    }
                }
                message.number(c"received", stats.packets.get());
                message.number(c"kicks", stats.kicks.get());
            });
        }
    });
}

fn control_queue(device: &Device<VirtioNet>, message: &mut Message<'_>) {
    let shared = device.shared();
    let state = match control::condition(device) {
        _ if shared.control.is_none() => c"none",
        control::Condition::Works => c"in use",
        control::Condition::OthersWait => c"owes an answer",
        control::Condition::Broken => c"broken",
    };
    message.text(c"state", state);
    let ring = Ring::default();
    control::look(device, &ring);
    if ring.is_known() {
        ring.show(message);
    }
    message.number(c"silent", shared.health.unanswered().into());
}

/// The device itself, and what has been done for it.
fn whole(device: &Device<VirtioNet>, message: &mut Message<'_>) {
    let shared = device.shared();
    let virtio = &shared.device;
    let status = virtio.status();
    let state = match status {
        None => c"does not answer",
        Some(_) if virtio.is_reset_pending() => c"to be reset",
        Some(_) if virtio.needs_reset() => c"needs a reset",
        Some(_) if shared.link.is_out_of_order() => c"out of order",
        Some(_) => c"in use",
    };
    message.text(c"state", state);
    if let Some(status) = status {
        message.number(c"status", status.into());
    }
    if let Ok(features) = negotiated(device) {
        message.text(c"features", &features);
    }
    for (name, count) in shared.health.counts.named() {
        message.number(name, count);
    }
}
