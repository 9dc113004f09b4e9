// SPDX-License-Identifier: GPL-2.0

//! The link: whether it is up, and how fast it is.
//!
//! When the device asks for it (`VIRTIO_NET_S_ANNOUNCE`), the state of the link is taken over first, so that the
//! packets that announce the guest are not dropped for want of a link, and the device is told that they have been
//! sent.

use crate::{
    config,
    control::{
        commands::AnnounceAck,
        Access, //
    },
    features,
    VirtioNet, //
};
use core::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{
        Acquire,
        Relaxed,
        Release, //
    },
};
use kernel::{
    device::Bound,
    net::{
        self,
        Device,
        LinkSettings,
        Locked, //
    },
    prelude::*,
    virtio, //
};

impl net::Link for VirtioNet {
    fn link_settings(device: &Device<Self>) -> LinkSettings {
        device.shared().link.settings()
    }

    fn set_link_settings(device: &Locked<'_, Self>, settings: LinkSettings) {
        device.shared().link.set_settings(settings);
    }
}

/// What is known of the link.
pub(crate) struct Link {
    /// Whether the device may report something else than before.
    changed: AtomicBool,
    up: AtomicBool,
    /// Whether the device is of no use until it has been reset, whatever it reports.
    out_of_order: AtomicBool,
    /// As a number.
    settings: AtomicU64,
}

impl Link {
    /// A link that is not up yet.
    pub(crate) fn new() -> Self {
        Self {
            changed: AtomicBool::new(false),
            up: AtomicBool::new(false),
            out_of_order: AtomicBool::new(false),
            settings: AtomicU64::new(LinkSettings::UNKNOWN.bits()),
        }
    }

    /// Whether the link is up, as far as is known. Any context.
    pub(crate) fn is_up(&self) -> bool {
        self.up.load(Relaxed)
    }

    /// Whether the device is of no use until it has been reset. Any context.
    pub(crate) fn is_out_of_order(&self) -> bool {
        self.out_of_order.load(Relaxed)
    }

    /// How fast the link is. Any context.
    pub(crate) fn settings(&self) -> LinkSettings {
        LinkSettings::from_bits(self.settings.load(Relaxed))
    }

    /// Changes what is shown, until the link comes up the next time. Any context.
    pub(crate) fn set_settings(&self, settings: LinkSettings) {
        self.settings.store(settings.bits(), Relaxed);
    }
}

/// How fast the link is, if the device says that. C function: `virtnet_update_settings()`.
fn of_device(device: &virtio::Device<Bound>) -> Option<LinkSettings> {
    if !device.has(features::SPEED_DUPLEX) {
        return None;
    }
    // A device that cannot be read has said so in the log.
    let speed = device.read_config(&config::SPEED).ok()?;
    let [duplex] = device.read_config(&config::DUPLEX).ok()?;
    Some(LinkSettings::new(speed, duplex))
}

/// Tells the neighbours where the device is, and the device that this has been done (virtio 1.3,
/// section 5.1.6.5.4). C function: `virtnet_ack_link_announce()`.
fn announce(device: &Device<VirtioNet>) {
    let shared = device.shared();
    let Some(control) = Access::new(device, features::GUEST_ANNOUNCE) else {
        return;
    };
    device.notify_peers();
    if let Err(error) = control.send(&AnnounceAck) {
        dev_warn!(
            shared.device,
            "device does not take that its place was announced: {error:?}\n"
        );
    }
}

/// Takes note of what a new device reports at first.
///
/// Process context. May sleep. C function: `virtnet_probe()`.
pub(crate) fn start(device: &Device<VirtioNet>) {
    take(device);
    // Somebody who was told of the device may have opened it already.
    if device.shared().link.changed.load(Relaxed) {
        device.schedule_service();
    }
}

/// The interface has been set up: the carrier is what was known of it, and soon what is so now.
///
/// Process context. C function: `virtnet_open()`.
pub(crate) fn opened(device: &Device<VirtioNet>) {
    if device.shared().link.up.load(Relaxed) {
        device.carrier_on();
    }
    changed(device);
}

/// Has [`update`] look at what the device reports. Any context. C function: `virtnet_config_changed()`.
pub(crate) fn changed(device: &Device<VirtioNet>) {
    device.shared().link.changed.store(true, Release);
    device.schedule_service();
}

/// Nothing goes through the device until it has been reset: the link is down, so that nobody waits for packets in vain, and a
/// bond or a failover takes another NIC meanwhile.
///
/// Process context. May sleep. Takes the rtnl lock.
pub(crate) fn lose(device: &Device<VirtioNet>) {
    device.shared().link.out_of_order.store(true, Relaxed);
    update(device);
}

/// The device has been reset: the link is what it reports. Any context.
pub(crate) fn renew(device: &Device<VirtioNet>) {
    device.shared().link.out_of_order.store(false, Relaxed);
    changed(device);
}

/// Whether the device may report something else than before, since this was asked last. What comes after that is news again,
/// so all that there is to be read is read afterwards. Any context.
pub(crate) fn take_news(device: &Device<VirtioNet>) -> bool {
    device.shared().link.changed.swap(false, Acquire)
}

/// Takes over the link state that the device reports: up, if it reports none; down, if it is out of order.
/// When the link comes up, also how fast it is. Then the device is announced if it wants to be.
///
/// Process context. May sleep. Takes the rtnl lock. C function: `virtnet_config_changed_work()`.
pub(crate) fn update(device: &Device<VirtioNet>) {
    let status = take(device);
    if status & config::STATUS_LINK_UP != 0 {
        device.carrier_on();
    } else {
        device.carrier_off();
    }
    if status & config::STATUS_ANNOUNCE != 0 {
        announce(device);
    }
}

/// Reads what the device reports, bits `VIRTIO_NET_S_*`, and keeps what is shown of it.
fn take(device: &Device<VirtioNet>) -> u16 {
    let (virtio, link) = (&device.shared().device, &device.shared().link);
    let status = if link.is_out_of_order() {
        0
    } else if virtio.has(features::STATUS) {
        // A device that cannot be read has said so in the log, and is not one to send to.
        virtio.read_config(&config::STATUS).unwrap_or(0)
    } else {
        config::STATUS_LINK_UP
    };
    let up = status & config::STATUS_LINK_UP != 0;

    let was_up = link.up.swap(up, Relaxed);
    if up && !was_up {
        link.set_settings(of_device(virtio).unwrap_or(link.settings()));
    }
    status
}
