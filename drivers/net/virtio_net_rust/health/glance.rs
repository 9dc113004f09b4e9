// SPDX-License-Identifier: GPL-2.0

//! A glance at all queues.

use super::{
    resets::Fault,
    Faults,
    AGAIN_MS,
    PAUSE_MS, //
};
use crate::{
    coalesce,
    control,
    tx::watch::{
        self,
        Seen, //
    },
    VirtioNet, //
};
use kernel::net::Device;

/// How much sooner the service may come, in milliseconds: it is scheduled by ticks of the kernel.
pub(crate) const EARLY_MS: u32 = 20;

/// What is kept from one glance to the next.
#[derive(Default)]
pub(super) struct Glance {
    /// For how many glances others have waited for the answer to a command.
    unanswered: u32,
}

impl Glance {
    /// Looks at all queues, notes what is wrong, and does what can be done short of a reset. `limit` is how long the device may be silent,
    /// in milliseconds. Returns whether the next glance decides about a queue.
    pub(super) fn look(
        &mut self,
        device: &Device<VirtioNet>,
        limit: u32,
        faults: &mut Faults,
    ) -> bool {
        let limit = limit.div_ceil(PAUSE_MS);
        let mut suspected = false;
        faults.note(look_tx(device, limit, &mut suspected));
        faults.note(look_rx(device));
        suspected |= device.shared().health.rx.suspected();

        let others_wait = match control::condition(device) {
            control::Condition::Works => false,
            control::Condition::OthersWait => true,
            control::Condition::Broken => {
                faults.note(Some(Fault::ControlBroken));
                false
            }
        };
        self.unanswered = if others_wait {
            self.unanswered.saturating_add(1)
        } else {
            0
        };
        if self.unanswered >= limit {
            faults.note(Some(Fault::Unanswered(self.unanswered)));
        }
        suspected
    }

    /// For how many glances others have waited for the answer to a command.
    pub(super) fn unanswered(&self) -> u32 {
        self.unanswered
    }
}

/// Also queues that are not used any more may have packets.
fn look_tx(device: &Device<VirtioNet>, limit: u32, suspected: &mut bool) -> Option<Fault> {
    let shared = device.shared();
    let mut fault = None;
    for queue in 0..device.max_queues() {
        let mut seen = Seen::Well;
        device.glance_tx(queue, |tx| {
            seen = watch::look(tx);
            // Without a link packets may wait.
            if !shared.link.is_up() {
                watch::forgive(tx);
            }
        });
        match seen {
            Seen::Well => (),
            Seen::Suspected => *suspected = true,
            Seen::Broken => fault = fault.or(Some(Fault::Broken("transmit", queue))),
            Seen::Silent(glances) if shared.link.is_up() => {
                // The registers are read without the lock, as some transports sleep for that.
                if glances.is_power_of_two() && shared.device.answers() {
                    shared.health.counts.kicks.add();
                    device.trace_health_step(c"kick", Some(queue));
                    device.glance_tx(queue, watch::kick);
                }
                if glances >= limit {
                    fault = fault.or(Some(Fault::Silent(queue, glances)));
                }
            }
            Seen::Silent(_) => (),
        }
    }
    fault
}

fn look_rx(device: &Device<VirtioNet>) -> Option<Fault> {
    let shared = device.shared();
    for queue in 0..device.num_queues() {
        // A device that is told to put off interrupts for longer does right.
        let put_off = coalesce::get(shared, Some(queue)).rx.usecs / 1000;
        if put_off < AGAIN_MS {
            device.glance_rx(queue);
        }
    }
    // What the last glance, or this one, has found out.
    shared
        .health
        .rx
        .broken()
        .map(|queue| Fault::Broken("receive", queue))
}
