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

/// What stays on.
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
    device.has(features::CTRL_VQ)
        && device.has(features::CTRL_GUEST_OFFLOADS)
        && bits(device, GUEST_GSO) != 0
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
    if gro_hw == device.features().contains(Features::GRO_HW) {
        return Ok(());
    }
    set_guest_offloads(device, gro_hw)
}

/// Restores what may be received in a device that has been reset: all, unless that has been changed.
///
/// As for [`change`]; C function: `virtnet_restore_guest_offloads()`.
pub(crate) fn restore(device: &net::Device<VirtioNet>) -> Result {
    if device.features().contains(Features::GRO_HW) {
        return Ok(());
    }
    resync(device)
}

/// Resynchronises what may be received.
///
/// As for [`change`].
pub(crate) fn resync(device: &net::Device<VirtioNet>) -> Result {
    if !can_change(&device.shared().device) {
        return Ok(());
    }
    set_guest_offloads(device, device.features().contains(Features::GRO_HW))
}

/// Takes back a change to `wanted`, since the device has refused something else of it.
pub(crate) fn revert(device: &net::Device<VirtioNet>, wanted: Features) {
    let gro_hw = device.features().contains(Features::GRO_HW);

    if gro_hw != wanted.contains(Features::GRO_HW) {
        // One that fails has said so.
        let _ = set_guest_offloads(device, gro_hw);
    }
}

/// Tells the device whether GSO packets may be received.
fn set_guest_offloads(device: &net::Device<VirtioNet>, gro_hw: bool) -> Result {
    let shared = device.shared();
    let mut offloads = bits(&shared.device, ALWAYS);
    if gro_hw {
        offloads |= bits(&shared.device, GUEST_GSO);
    }
    // The stack does not change a feature that cannot be changed.
    let control = Access::new(device, features::CTRL_GUEST_OFFLOADS).ok_or(EINVAL)?;
    control
        .send(&SetGuestOffloads(offloads))
        .inspect_err(|error| {
            dev_warn!(
                shared.device,
                "device does not change which GSO packets are received: {error:?}\n"
            );
        })
}
