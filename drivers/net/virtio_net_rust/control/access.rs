// SPDX-License-Identifier: GPL-2.0

//! The control queue in the hands of those who have the network device.
//!
//! A command that has failed because there was no answer, or none that can be, may have been done all
//! the same. Then the device is resynchronised as soon as it answers: all that is set is sent again, until it has
//! either taken or refused all of it.

use super::{
    deadline::Deadline,
    outcome_unknown,
    Command,
    Condition,
    Control,
    ResyncState, //
};
use crate::{
    health::Ring,
    settings::{
        self,
        Part, //
    },
    VirtioNet, //
};
use kernel::{
    net::{
        rtnl,
        Device,
        Locked, //
    },
    prelude::*,
    virtio::Feature, //
};

/// How long to wait until it is looked again whether the device has answered, in milliseconds.
const PAUSE: u32 = 1000;

/// Where the device takes commands.
#[derive(Clone, Copy)]
pub(crate) struct Access<'a> {
    device: &'a Device<VirtioNet>,
    control: &'a Control,
}

impl<'a> Access<'a> {
    /// Where `device` takes the commands of `feature`, if that has been negotiated.
    pub(crate) fn new(device: &'a Device<VirtioNet>, feature: Feature) -> Option<Self> {
        let shared = device.shared();
        let control = shared.control.as_ref()?;
        shared
            .device
            .has(feature)
            .then_some(Self { device, control })
    }

    /// Sends a command, see [`Control::send`].
    ///
    /// # Errors
    ///
    /// As there. [`outcome_unknown`] says of which the device may have done it all the same.
    pub(crate) fn send<C: Command>(&self, command: &C) -> Result {
        let result = self.control.send(command);
        if outcome_unknown(&result) {
            self.device.schedule_service_in(PAUSE);
        }
        result
    }

    /// Sends a command that is answered with more than whether it has been done, see [`Control::ask`].
    ///
    /// # Errors
    ///
    /// As there.
    pub(crate) fn ask<C: Command>(&self, command: &C, room: usize) -> Result<KVec<u8>> {
        self.control.ask(command, room)
    }
}

/// Calls `f`. All commands to the device that it sends have as long together as a single one has otherwise, see
/// [`Control::within`].
///
/// Process context. May sleep.
pub(crate) fn with_deadline<R>(device: &Locked<'_, VirtioNet>, f: impl FnOnce() -> R) -> R {
    match &device.shared().control {
        Some(control) => control.within(Deadline::new(), f),
        None => f(),
    }
}

/// Sends again what is set, from a part on, until the device does not answer in time: all of it together has as
/// long as a single command. Returns the part whose outcome is unknown then.
fn resync_from(device: &Device<VirtioNet>, control: &Control, first: Part) -> Option<Part> {
    let deadline = Deadline::new();
    let mut part = Some(first);

    while let Some(current) = part {
        // Others get the locks between two parts.
        let rtnl = rtnl::lock();
        let device = device.lock(&rtnl);
        let (result, next) = control.within(deadline, || settings::resync(&device, current, &rtnl));
        if outcome_unknown(&result) {
            break;
        }
        part = next;
    }
    part
}

/// How the control queue does, if there is one. Process context. May sleep, but does not wait for a command that is under way.
pub(crate) fn condition(device: &Device<VirtioNet>) -> Condition {
    let control = device.shared().control.as_ref();
    control.map_or(Condition::Works, Control::condition)
}

/// Has a look at the ring of the control queue, if there is one and no command is under way. Process context.
pub(crate) fn look(device: &Device<VirtioNet>, ring: &Ring) {
    if let Some(control) = &device.shared().control {
        control.look(ring);
    }
}

/// Looks whether the device has answered, if it owes that, and resynchronises it. Process context. May
/// sleep. Takes the rtnl lock.
pub(crate) fn resync(device: &Device<VirtioNet>) {
    let Some(control) = &device.shared().control else {
        return;
    };
    match control.begin_resync() {
        ResyncState::InSync => (),
        ResyncState::Pending => device.schedule_service_in(PAUSE),
        ResyncState::Begun(first) => {
            let stopped = resync_from(device, control, first);
            if control.end_resync(first, stopped) {
                dev_info!(device.shared().device, "device has been resynchronised\n");
            } else {
                device.schedule_service_in(PAUSE);
            }
        }
    }
}
