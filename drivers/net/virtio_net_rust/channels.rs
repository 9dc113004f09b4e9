// SPDX-License-Identifier: GPL-2.0

//! How many pairs of queues there are, and how many of them are used.
//!
//! At first as many pairs are used as there are CPUs. A device that refuses that is asked for fewer, one by one,
//! and then for more, from the most that it has: there are devices that take a single number. C uses one pair then.
//!
//! The number of pairs that are used is what the stack has ([`Device::num_queues`]); there is no second variable
//! that could differ. While the interface is up, all pairs have receive buffers and NAPI contexts that are enabled,
//! also those that are not used, and all are polled when it is set up: a device may be slow to use fewer, or
//! deliver to any queue that it has. And what was sent through a queue may come back when it is not used any more.
//!
//! The device must not get packets through a queue that it was told not to use. So for fewer pairs the stack is
//! told first, and the device then; for more pairs the device first, and the stack comes last. A step that fails
//! takes back those before it.

pub(crate) mod frames;

use self::frames::with_frames;
use crate::{
    config,
    control::{
        commands::SetQueuePairs,
        outcome_unknown,
        with_deadline,
        Access, //
    },
    features,
    rss,
    VirtioNet, //
};
use core::ops::RangeInclusive;
use kernel::{
    device::Core,
    net::{
        self,
        cpu,
        not_supported,
        rtnl,
        Device,
        Locked, //
    },
    prelude::*,
    virtio, //
};

impl net::Channels for VirtioNet {
    fn set_num_queues(device: &Locked<'_, Self>, pairs: u16, rtnl: &rtnl::Held) -> Result {
        set(device, pairs, rtnl)
    }
}

/// How many pairs a device may have (virtio 1.3, section 5.1.4.1).
pub(crate) const POSSIBLE: RangeInclusive<u16> = 1..=0x8000;

/// How many of them can be used: all get memory before the transport says which are there, in pieces that the
/// allocator warns of if a device lies. QEMU's has 511 at most.
pub(crate) const USABLE: RangeInclusive<u16> = 1..=1024;

/// The number of pairs of queues that the device has, as far as it could be taken when features were negotiated.
///
/// # Errors
///
/// `EINVAL` if it is another one by now; `EIO` if the configuration cannot be read.
pub(crate) fn of_device(device: &virtio::Device<Core<'_>>) -> Result<u16> {
    if !device.has(features::MQ) && !device.has(features::RSS) {
        return Ok(1);
    }
    let pairs = device.read_config(&config::MAX_VIRTQUEUE_PAIRS)?;
    if !USABLE.contains(&pairs) {
        dev_err!(device, "device has {pairs} pairs of queues by now\n");
        return Err(EINVAL);
    }
    Ok(pairs)
}

/// How many of `pairs` to use at first: not more than there are CPUs.
pub(crate) fn at_first(pairs: u16) -> u16 {
    u16::try_from(cpu::num_online()).map_or(pairs, |cpus| pairs.min(cpus))
}

/// Tells the device how many pairs to use, once it has started: until then it uses one.
///
/// One that refuses is asked for others, as there are devices that take a single number only. If it takes
/// none it stays with one, and so does the stack. Process context. May sleep.
pub(crate) fn start(device: &Locked<'_, VirtioNet>, rtnl: &rtnl::Held) {
    frames::share(device, rtnl);
    if !rss::start(device) {
        let wanted = device.num_queues();
        let used = match set_pairs(device, wanted) {
            Ok(()) => wanted,
            Err(EINVAL) => find(device, wanted).unwrap_or(1),
            Err(_) => 1,
        };
        if device.set_num_queues(used, rtnl).is_err() {
            // There is no memory for more than before. Fewer are always possible.
            let _ = device.set_num_queues(1, rtnl);
        }
    }
    spread(device, device.num_queues());
    frames::dedicate(device, device.has_program(), rtnl);
}

/// Finds a number of pairs that the device takes although it has refused `wanted`, and has it use them: the
/// largest one below, else the largest one at all.
fn find(device: &Locked<'_, VirtioNet>, wanted: u16) -> Option<u16> {
    let control = Access::new(device, features::MQ)?;
    let above = wanted.saturating_add(1)..=device.max_queues();
    // The search ends without an answer in time, too.
    let (pairs, result) = with_deadline(device, || {
        Iterator::chain((1..wanted).rev(), above.rev())
            .map(|pairs| (pairs, control.send(&SetQueuePairs(pairs))))
            .find(|(_, result)| result.is_ok() || outcome_unknown(result))
    })?;
    result.ok()?;
    dev_info!(
        device.shared().device,
        "device takes {pairs} pairs of queues\n"
    );
    Some(pairs)
}

/// Resynchronises how many pairs the device uses, and what it hashes.
///
/// Process context. May sleep.
///
/// # Errors
///
/// What [`Access::send`] says; `ENOMEM`.
pub(crate) fn resync(device: &Locked<'_, VirtioNet>) -> Result {
    rss::apply(device)?;
    if rss::steers(device.shared()) {
        return Ok(());
    }
    set_pairs(device, device.num_queues())
}

/// Changes the number of pairs that are used. C functions: `virtnet_set_channels()`,
/// `virtnet_set_queues()`.
///
/// A queue that the device does not use must not get packets (virtio 1.3, section 5.1.6.5.6.1): so
/// of fewer queues the stack is told first, of more the device.
///
/// # Errors
///
/// - `EINVAL` if the device refuses, and `ENOMEM`: the same queues as before are used then.
/// - `ETIMEDOUT` or `EIO` if it does not answer: then only those are used that it has been told to use
///   both before and now.
pub(crate) fn set(device: &Locked<'_, VirtioNet>, pairs: u16, rtnl: &rtnl::Held) -> Result {
    frames::share(device, rtnl);
    let result = change(device, pairs, rtnl);
    frames::dedicate(device, device.has_program(), rtnl);
    result
}

/// As [`set`], while no queue is for frames alone.
fn change(device: &Locked<'_, VirtioNet>, pairs: u16, rtnl: &rtnl::Held) -> Result {
    let before = device.num_queues();

    if pairs <= before {
        device.set_num_queues(pairs, rtnl)?;
        let result = set_pairs(device, pairs);
        // Without an answer it may do it at any time. What is sent through the others is lost then.
        if result.is_ok() || outcome_unknown(&result) {
            spread(device, pairs);
        } else {
            revert(device, before, rtnl);
        }
        return result;
    }
    set_pairs(device, pairs)?;
    spread(device, pairs);
    device.set_num_queues(pairs, rtnl).inspect_err(|_| {
        // If this fails too, `set_pairs` has said so. The stack receives from all queues.
        let _ = set_pairs(device, before);
        spread(device, before);
    })
}

/// Assigns the CPUs to that many pairs.
fn spread(device: &Device<VirtioNet>, pairs: u16) {
    let shared = device.shared();
    shared.affinity.set_pairs(device, pairs, &cpu::lock());
}

/// Has the stack use as many queues again as the device does.
fn revert(device: &Locked<'_, VirtioNet>, pairs: u16, rtnl: &rtnl::Held) {
    if let Err(error) = device.set_num_queues(pairs, rtnl) {
        dev_err!(
            device.shared().device,
            "{} sends through {} queues only: {error:?}\n",
            device.name(),
            device.num_queues()
        );
    }
    // The stack forgets the CPUs of queues that it does not use.
    spread(device, device.num_queues());
}

/// Tells the device how many pairs to use for the stack, and with them those for frames: as the queues to choose from if it
/// chooses by a hash. A command for the number alone would end that.
fn set_pairs(device: &Locked<'_, VirtioNet>, pairs: u16) -> Result {
    let shared = device.shared();
    if rss::steers(shared) {
        return rss::spread(device, pairs);
    }
    let Some(control) = Access::new(device, features::MQ) else {
        return if with_frames(shared, pairs) == 1 {
            Ok(())
        } else {
            Err(not_supported())
        };
    };
    let pairs = with_frames(shared, pairs);
    control.send(&SetQueuePairs(pairs)).inspect_err(|error| {
        dev_warn!(
            shared.device,
            "device does not change to {pairs} pairs of queues: {error:?}\n"
        );
    })
}
