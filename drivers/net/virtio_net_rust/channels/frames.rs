// SPDX-License-Identifier: GPL-2.0

//! Pairs of queues whose transmit queues are for frames of XDP alone.
//!
//! If the device has a pair more for each CPU than the stack uses, the frames that programs send have transmit queues
//! of their own as long as there is a program, and wait for nobody's lock. C asks for them in the same way. With fewer pairs,
//! or if the device refuses, frames go through the queues of the stack.
//!
//! To the device these pairs are used as the others: it may have the guest receive through them. So it is told of them
//! first, and frames follow; and frames have left them before it is told that they are not used any more.

use super::{
    set_pairs,
    VirtioNet, //
};
use crate::Shared;
use kernel::net::{
    cpu,
    rtnl,
    stats::Gauge,
    Device,
    Locked, //
};

/// How many pairs behind those of the stack the device has been told to use for frames. It changes while both locks of
/// the device are held.
#[derive(Default)]
pub(crate) struct FramePairs(Gauge);

/// How many pairs the device has to know of if the stack uses so many.
pub(crate) fn with_frames(shared: &Shared, pairs: u16) -> u16 {
    // CAST: It is less than the number of queues.
    pairs.saturating_add(shared.frame_pairs.0.get() as u16)
}

/// Has frames go through the queues of the stack. Process context. May sleep.
pub(super) fn share(device: &Locked<'_, VirtioNet>, rtnl: &rtnl::Held) {
    // None is always possible.
    let _ = device.set_frame_queues(0, rtnl);
    device.shared().frame_pairs.0.set(0);
}

/// Has frames go through queues of their own if there is a program and the device has enough of them, else through those of
/// the stack. Process context. May sleep. C function: `virtnet_xdp_set()`.
pub(crate) fn dedicate(device: &Locked<'_, VirtioNet>, program: bool, rtnl: &rtnl::Held) {
    let shared = device.shared();
    let count = if program { wanted(device) } else { 0 };
    if count == device.frame_queues() {
        return;
    }
    share(device, rtnl);
    shared.frame_pairs.0.set(count.into());
    // What fails has said so.
    if set_pairs(device, device.num_queues()).is_err() {
        shared.frame_pairs.0.set(0);
    } else if device.set_frame_queues(count, rtnl).is_err() {
        share(device, rtnl);
    }
}

/// A pair for each CPU, or none.
fn wanted(device: &Device<VirtioNet>) -> u16 {
    let spare = device.max_queues().saturating_sub(device.num_queues());
    u16::try_from(cpu::num_online()).map_or(0, |cpus| if cpus <= spare { cpus } else { 0 })
}
