// SPDX-License-Identifier: GPL-2.0

//! What may be received, and how it is changed while the device runs (virtio 1.3, section
//! 5.1.6.5.8).

use crate::{
    control::{
        commands::SetGuestOffloads,
        Access, //
    },
    features,
    VirtioNet, //
};
use kernel::{
    net::{
        self,
        not_supported,
        Features, //
    },
    prelude::*,
    virtio::{
        Device,
        Feature, //
    },
};

/// What goes on and off with [`Features::GRO_HW`]. C constant: `GUEST_OFFLOAD_GRO_HW_MASK`.
const GUEST_GSO: &[Feature] = &[
    features::GUEST_TSO4,
    features::GUEST_TSO6,
    features::GUEST_ECN,
    features::GUEST_UFO,
    features::GUEST_USO4,
    features::GUEST_USO6,
    features::GUEST_UDP_TUNNEL_GSO,
    features::GUEST_UDP_TUNNEL_GSO_CSUM,
];

/// What stays on without an XDP program.
const ALWAYS: &[Feature] = &[features::GUEST_CSUM, features::GUEST_HDRLEN];

/// The bit that stands for a feature in the command: its own, but that is too high for some.
const fn bit(feature: Feature) -> u64 {
    match feature {
        features::GUEST_UDP_TUNNEL_GSO => 1 << 46,
        features::GUEST_UDP_TUNNEL_GSO_CSUM => 1 << 47,
        other => 1 << other.bit(),
    }
}

/// The bits of those of `list` that have been negotiated.
fn bits(device: &Device, list: &[Feature]) -> u64 {
    list.iter()
        .filter(|feature| device.has(**feature))
        .fold(0, |all, feature| all | bit(*feature))
}

/// Whether the device can be told to segment packets after all.
pub(super) fn can_change(device: &Device) -> bool {
    can_tell(device) && bits(device, GUEST_GSO) != 0
}

/// Whether there is a command for it.
fn can_tell(device: &Device) -> bool {
    device.has(features::CTRL_VQ) && device.has(features::CTRL_GUEST_OFFLOADS)
}

/// Whether nothing that the device may do to a packet is left on: an XDP program sees it as it was on the wire.
fn is_plain(device: &Device) -> bool {
    bits(device, GUEST_GSO) | bits(device, &[features::GUEST_CSUM]) == 0
}

/// Tells the device that packets are going to be seen by an XDP program, or are not any more.
///
/// As for [`change`]. C functions: `virtnet_clear_guest_offloads()`, `virtnet_restore_guest_offloads()`.
///
/// # Errors
///
/// `EOPNOTSUPP` if the device cannot be told to leave packets alone.
pub(crate) fn change_program(device: &net::Device<VirtioNet>, program: bool) -> Result {
    let virtio = &device.shared().device;
    if is_plain(virtio) {
        return Ok(());
    }
    if !can_tell(virtio) {
        return Err(not_supported());
    }
    set_guest_offloads(device, device.features(), program)
}

/// Tells the device what may be received, if that is different with the features `wanted`.
///
/// Process context, rtnl held, may sleep. C function: `virtnet_set_features()`.
///
/// # Errors
///
/// What [`Access::send`](crate::control::Access::send) says; nothing has changed then.
pub(crate) fn change(device: &net::Device<VirtioNet>, wanted: Features) -> Result {
    let gro_hw = wanted.contains(Features::GRO_HW);
    // With an XDP program all are off, until it has gone.
    if gro_hw == device.features().contains(Features::GRO_HW) || device.has_program() {
        return Ok(());
    }
    set_guest_offloads(device, wanted, false)
}

/// Restores what may be received in a device that has been reset: all, unless that has been changed.
///
/// As for [`change`]; C function: `virtnet_restore_guest_offloads()`.
pub(crate) fn restore(device: &net::Device<VirtioNet>) -> Result {
    if device.features().contains(Features::GRO_HW) && !device.has_program() {
        return Ok(());
    }
    resync(device)
}

/// Resynchronises what may be received.
///
/// As for [`change`].
pub(crate) fn resync(device: &net::Device<VirtioNet>) -> Result {
    let virtio = &device.shared().device;
    if is_plain(virtio) || !can_tell(virtio) {
        return Ok(());
    }
    set_guest_offloads(device, device.features(), device.has_program())
}

/// Takes back a change to `wanted`, since the device has refused something else of it.
pub(crate) fn revert(device: &net::Device<VirtioNet>, wanted: Features) {
    let now = device.features();

    if now.contains(Features::GRO_HW) != wanted.contains(Features::GRO_HW) && !device.has_program()
    {
        // One that fails has said so.
        let _ = set_guest_offloads(device, now, false);
    }
}

/// Tells the device what may be received with `features`: nothing but what is complete, if there is an XDP program.
fn set_guest_offloads(
    device: &net::Device<VirtioNet>,
    features: Features,
    program: bool,
) -> Result {
    let shared = device.shared();
    let offloads = match (program, features.contains(Features::GRO_HW)) {
        (true, _) => 0,
        (false, false) => bits(&shared.device, ALWAYS),
        (false, true) => bits(&shared.device, ALWAYS) | bits(&shared.device, GUEST_GSO),
    };
    // The stack does not change a feature that cannot be changed.
    let control = Access::new(device, features::CTRL_GUEST_OFFLOADS).ok_or(EINVAL)?;
    control
        .send(&SetGuestOffloads(offloads))
        .inspect_err(|error| {
            dev_warn!(
                shared.device,
                "device does not change what it does to received packets: {error:?}\n"
            );
        })
}
