// SPDX-License-Identifier: GPL-2.0

//! What has been set of interrupts, and setting it in the device.

use crate::{
    control::{
        commands::{
            SetQueueModeration,
            SetRxModeration,
            SetTxModeration, //
        },
        Access, //
    },
    features,
    tx,
    Shared,
    VirtioNet, //
};
use core::ops::Range;
use kernel::{
    net::{
        not_supported,
        Coalesce,
        Device,
        Locked, //
    },
    prelude::*, //
};

/// What has been set, and is true of the device.
pub(super) struct State {
    /// Of all queues but those that have been given another.
    pub(super) all: Coalesce,
    pub(super) pairs: KVec<Pair>,
}

/// A pair of queues.
pub(super) struct Pair {
    pub(super) own: Coalesce,
    /// Whether NAPI frees what has been sent.
    pub(super) napi: bool,
}

impl State {
    /// C functions: `virtnet_send_rx_notf_coal_cmds()`, `virtnet_send_rx_notf_coal_vq_cmds()`.
    pub(super) fn check_adaptive(
        &self,
        shared: &Shared,
        queue: Option<u16>,
        wanted: Coalesce,
    ) -> Result {
        let now = match queue {
            Some(queue) => self.pairs.get(usize::from(queue)).ok_or(EINVAL)?.own,
            None if shared.device.has(features::NOTF_COAL) => self.all,
            None => return Err(not_supported()),
        };
        if !shared.device.has(features::VQ_NOTF_COAL) {
            return Err(not_supported());
        }
        if wanted.rx != now.rx {
            return Err(EINVAL);
        }
        Ok(())
    }

    /// Which of the `chosen` pairs NAPI is to be turned on or off for.
    pub(super) fn others<'a>(
        &'a self,
        chosen: &Range<u16>,
        napi: bool,
    ) -> impl Iterator<Item = u16> + 'a {
        chosen
            .clone()
            .zip(self.pairs.iter().skip(chosen.start.into()))
            .filter(move |(_, pair)| pair.napi != napi)
            .map(|(index, _)| index)
    }

    pub(super) fn switch(
        &self,
        device: &Locked<'_, VirtioNet>,
        chosen: &Range<u16>,
        napi: bool,
    ) -> Result {
        self.others(chosen, napi)
            .try_for_each(|index| toggle(device, index, napi))
    }

    /// Undoes [`switch`](Self::switch), also one that has not come to its end.
    pub(super) fn switch_back(
        &self,
        device: &Locked<'_, VirtioNet>,
        chosen: &Range<u16>,
        napi: bool,
    ) {
        for index in self.others(chosen, napi) {
            // One that fails has packets, so it has not been switched.
            let _ = toggle(device, index, !napi);
        }
    }

    /// Sets what holds for all queues. C function: `virtnet_send_notf_coal_cmds()`.
    pub(super) fn set_all(
        &mut self,
        device: &Device<VirtioNet>,
        control: Access<'_>,
        wanted: Coalesce,
    ) -> Result {
        let result = match wanted.adaptive_rx {
            true => control.send(&SetTxModeration(wanted.tx)),
            false => send_all(control, wanted),
        };
        result.inspect_err(|error| self.refused(device, *error))?;
        self.all = wanted;
        for pair in &mut self.pairs {
            let rx = match wanted.adaptive_rx {
                true => pair.own.rx,
                false => wanted.rx,
            };
            pair.own = Coalesce { rx, ..wanted };
        }
        Ok(())
    }

    /// Sets what holds for one pair. C function: `virtnet_send_notf_coal_vq_cmds()`.
    pub(super) fn set_pair(
        &mut self,
        device: &Device<VirtioNet>,
        control: Access<'_>,
        index: u16,
        wanted: Coalesce,
    ) -> Result {
        send_pair(control, index, wanted).inspect_err(|error| self.refused(device, *error))?;
        if let Some(pair) = self.pairs.get_mut(usize::from(index)) {
            pair.own = wanted;
        }
        Ok(())
    }

    /// Restores what was set before in a device that has taken a part of a setting, and refused the rest.
    fn refused(&self, device: &Device<VirtioNet>, error: Error) {
        dev_warn!(
            device.shared().device,
            "device does not change when it raises interrupts: {error:?}\n"
        );
        // If it refuses this too there is nothing that could be done.
        let _ = self.restore(device);
    }

    pub(super) fn restore(&self, device: &Device<VirtioNet>) -> Result {
        self.restore_all(device)?;
        (0..device.max_queues()).try_for_each(|index| self.restore_own(device, index))
    }

    /// Sends the device again what holds for all queues.
    pub(super) fn restore_all(&self, device: &Device<VirtioNet>) -> Result {
        match Access::new(device, features::NOTF_COAL) {
            Some(control) => send_all(control, self.all),
            None => Ok(()),
        }
    }

    /// Sends the device again what holds for the queues of a pair.
    pub(super) fn restore_own(&self, device: &Device<VirtioNet>, index: u16) -> Result {
        let pair = self.pairs.get(usize::from(index)).ok_or(EINVAL)?;
        match Access::new(device, features::VQ_NOTF_COAL) {
            Some(control) => send_pair(control, index, pair.own),
            None => Ok(()),
        }
    }
}

/// Turns NAPI for what is sent on or off, while the interface is down.
fn toggle(device: &Locked<'_, VirtioNet>, index: u16, napi: bool) -> Result {
    device.pause_tx(index, tx::reclaim, |mut paused| {
        paused.stats.stop.add(1);
        paused.state.set_napi(napi)?;
        paused.forget_sent();
        Ok(())
    })?
}

/// The numbers of the virtqueues of a pair: receive and transmit queue.
pub(super) fn virtqueues(index: u16) -> (u16, u16) {
    // There are at most 1024 pairs.
    let receive = index.wrapping_mul(2);
    (receive, receive.wrapping_add(1))
}

fn send_all(control: Access<'_>, wanted: Coalesce) -> Result {
    control.send(&SetTxModeration(wanted.tx))?;
    control.send(&SetRxModeration(wanted.rx))
}

fn send_pair(control: Access<'_>, index: u16, wanted: Coalesce) -> Result {
    let (receive, transmit) = virtqueues(index);
    control.send(&SetQueueModeration(receive, wanted.rx))?;
    control.send(&SetQueueModeration(transmit, wanted.tx))
}
