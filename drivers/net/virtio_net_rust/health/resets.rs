// SPDX-License-Identifier: GPL-2.0

//! Why a device is reset.

use super::{
    devlink::Part,
    PAUSE_MS, //
};
use crate::{
    link,
    VirtioNet, //
};
use kernel::{
    fmt,
    net::{
        devlink::Reported,
        Device, //
    },
    prelude::*,
    virtio::Asked, //
};

/// Something that only a reset helps against.
#[derive(Clone, Copy)]
pub enum Fault {
    /// The device says so.
    NeedsReset,
    /// The virtio core has given up a queue, of this kind and number, since the device has broken the rules.
    Broken(&'static str, u16),
    /// The same of the control queue.
    ControlBroken,
    /// The device has sent nothing of the transmit queue for so many glances.
    Silent(u16, u32),
    /// The device has not answered a command for so many glances.
    Unanswered(u32),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let msecs = |glances: &u32| glances.saturating_mul(PAUSE_MS);
        match self {
            Self::NeedsReset => write!(f, "device says that it needs a reset"),
            Self::Broken(kind, queue) => write!(f, "{kind} queue {queue} is broken"),
            Self::ControlBroken => write!(f, "control queue is broken"),
            Self::Silent(queue, glances) => {
                let msecs = msecs(glances);
                write!(
                    f,
                    "device has not sent what is in transmit queue {queue} for {msecs} ms"
                )
            }
            Self::Unanswered(glances) => {
                let msecs = msecs(glances);
                write!(
                    f,
                    "device has not answered a command that others wait for, for {msecs} ms"
                )
            }
        }
    }
}

impl Fault {
    /// What has it.
    pub(super) fn part(&self) -> Part {
        match self {
            Self::NeedsReset => Part::Device,
            Self::Broken("receive", _) => Part::Rx,
            Self::Broken(..) | Self::Silent(..) => Part::Tx,
            Self::ControlBroken | Self::Unanswered(_) => Part::Ctrl,
        }
    }

    /// The number of the queue that has it, if one does.
    fn queue(&self) -> Option<u16> {
        match *self {
            Self::Broken(_, queue) | Self::Silent(queue, _) => Some(queue),
            Self::NeedsReset | Self::ControlBroken | Self::Unanswered(_) => None,
        }
    }
}

/// Reports a fault, whereupon the device is reset, unless the user has it left as it is.
///
/// Process context. May sleep. Takes the rtnl lock.
pub(super) fn because_of(device: &Device<VirtioNet>, fault: Fault) {
    match device.report(fault.part() as usize, &fault) {
        Ok(Reported::Left) => dev_err!(
            device.shared().device,
            "{fault}: leaving {}, as devlink has it\n",
            device.name()
        ),
        Ok(Reported::Mending | Reported::Known) => (),
        // It is early, or memory is short.
        Err(_) => {
            let _ = reset(device, fault);
        }
    }
}

/// Has the device reset for a fault, unless it is going to be or has been given up. There is a line in the log for each reset, and
/// for giving it up. Until the device has been reset its link is down.
///
/// Process context. May sleep. Takes the rtnl lock.
///
/// # Errors
///
/// `ENODEV` if its registers do not answer; `EIO` if it has been given up, or is going away.
pub(super) fn reset(device: &Device<VirtioNet>, fault: Fault) -> Result {
    let shared = device.shared();
    let (virtio, name) = (&shared.device, device.name());
    if !virtio.answers() {
        return Err(ENODEV);
    }
    // Before the reset, which ends that, may begin.
    link::lose(device);
    match virtio.request_reset() {
        Asked::Granted => {
            shared.health.counts.resets.add();
            device.trace_health_step(c"reset", fault.queue());
            dev_err!(virtio, "{fault}: resetting {name}\n");
            Ok(())
        }
        Asked::GivenUp => {
            shared.health.counts.given_up.add();
            device.trace_health_step(c"given up", fault.queue());
            dev_err!(
                virtio,
                "{fault}: giving up {name}, `ethtool --reset {name} all` tries again\n"
            );
            Err(EIO)
        }
        Asked::Pending => Ok(()),
        Asked::Refused => Err(EIO),
    }
}

/// Has the device reset since somebody says so.
///
/// Process context. May sleep.
///
/// # Errors
///
/// `ENODEV` if the device is going away, or its registers do not answer.
pub(crate) fn by_hand(device: &Device<VirtioNet>) -> Result {
    let virtio = &device.shared().device;
    if !virtio.answers() || virtio.request_reset_by_hand() == Asked::Refused {
        return Err(ENODEV);
    }
    dev_info!(virtio, "as asked for: resetting {}\n", device.name());
    Ok(())
}
