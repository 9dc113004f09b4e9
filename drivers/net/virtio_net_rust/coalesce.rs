// SPDX-License-Identifier: GPL-2.0

//! How long the device may put off interrupts (virtio 1.3, section 5.1.6.5.9), and whether NAPI frees
//! what has been sent: as in C, 0 frames to be sent turn that off, while the interface is down.
//!
//! That of received packets may be left to the kernel, which adapts it to each queue: then it is not
//! set by hand.
//!
//! What an administrator has set is kept for all queues and for each pair. A setting takes two commands. If the
//! second is refused, the device is told again what was true before, also for the queues that have a setting of
//! their own, which a command for all queues takes from them. A ring that has been resized is told its own setting
//! again; with C it gets that of all queues.
//!
//! 0 frames to be sent stand for sending without NAPI, also on a device that puts off no interrupts. That can be
//! changed while the interface is down and the device has given back all packets, since how a packet is accounted
//! for depends on it. `EBUSY` says that one of these does not hold.

mod state;

use self::state::{
    virtqueues,
    Pair,
    State, //
};
use crate::{
    control::{
        commands::SetQueueModeration,
        Access, //
    },
    features,
    rx,
    tx,
    Shared,
    VirtioNet, //
};
use kernel::{
    net::{
        self,
        not_supported,
        Coalesce,
        Device,
        Locked,
        Moderation, //
    },
    new_mutex,
    prelude::*,
    sync::Mutex, //
};

impl net::AdaptiveRx for VirtioNet {
    fn moderate_rx(device: &Device<Self>, queue: u16, moderation: Moderation) {
        adapt_rx(device, queue, moderation);
    }
}

impl net::Coalescing for VirtioNet {
    fn coalesce(device: &Device<Self>, queue: Option<u16>) -> Coalesce {
        get(device.shared(), queue)
    }

    fn set_coalesce(device: &Locked<'_, Self>, queue: Option<u16>, wanted: Coalesce) -> Result {
        set(device, queue, wanted)
    }
}

/// What has been set, and is true of the device.
pub(crate) struct Moderations(Pin<KBox<Mutex<State>>>);

/// What is shown of a device that puts off nothing, at each packet of `rx` frames.
fn immediate(rx: u32, napi: bool) -> Coalesce {
    Coalesce {
        rx: Moderation {
            usecs: 0,
            frames: rx,
        },
        adaptive_rx: false,
        tx: Moderation {
            usecs: 0,
            frames: napi.into(),
        },
    }
}

impl Moderations {
    /// As it is at first.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there are no queues; `ENOMEM`.
    pub(crate) fn of(queues: &[(rx::Queue, tx::Queue)]) -> Result<Self> {
        let mut pairs = KVec::with_capacity(queues.len(), GFP_KERNEL)?;
        for (_, queue) in queues {
            let napi = queue.has_napi();
            let own = immediate(0, napi);
            pairs.push(Pair { own, napi }, GFP_KERNEL)?;
        }
        let all = pairs.first().ok_or(EINVAL)?.own;
        let state = State { all, pairs };
        Ok(Self(KBox::pin_init(new_mutex!(state), GFP_KERNEL)?))
    }

    /// Has NAPI free what is sent through other queues, as many as before, that have not been used
    /// yet: as far as it did so before.
    ///
    /// Process context. May sleep.
    ///
    /// # Errors
    ///
    /// `EBUSY` if the device has packets of one.
    pub(crate) fn renew(&self, queues: &mut [(rx::Queue, tx::Queue)]) -> Result {
        let state = self.0.lock();
        for (pair, (_, queue)) in state.pairs.iter().zip(queues) {
            queue.set_napi(pair.napi)?;
        }
        Ok(())
    }
}

/// The setting of all queues, or of one pair. C functions: `virtnet_get_coalesce()`,
/// `virtnet_get_per_queue_coalesce()`.
pub(crate) fn get(shared: &Shared, queue: Option<u16>) -> Coalesce {
    let state = shared.moderation.0.lock();
    let pair = state.pairs.get(usize::from(queue.unwrap_or(0)));
    match (queue, pair) {
        (None, _) if shared.device.has(features::NOTF_COAL) => state.all,
        (Some(_), Some(pair)) if shared.device.has(features::VQ_NOTF_COAL) => pair.own,
        (_, pair) => immediate(1, pair.is_some_and(|pair| pair.napi)),
    }
}

/// Changes the setting of all queues, or of one pair. C functions: `virtnet_set_coalesce()`,
/// `virtnet_set_per_queue_coalesce()`.
///
/// # Errors
///
/// All is as before then.
///
/// - `EBUSY` if NAPI for what is sent is turned on or off and the interface is up, or the device
///   still has packets to be sent.
/// - `EOPNOTSUPP` for times and for adapting, and `EINVAL` for numbers of packets that put off
///   interrupts, if the device cannot do that. C takes adapting, and does nothing.
/// - `EINVAL` if that of received packets is changed and is to be adapted.
/// - What [`Access::send`](crate::control::Access::send) says.
pub(crate) fn set(device: &Locked<'_, VirtioNet>, queue: Option<u16>, wanted: Coalesce) -> Result {
    let shared = device.shared();
    let chosen = match queue {
        Some(queue) => queue..queue.saturating_add(1),
        None => 0..device.max_queues(),
    };
    let feature = match queue {
        Some(_) => features::VQ_NOTF_COAL,
        None => features::NOTF_COAL,
    };
    let napi = wanted.tx.frames != 0;
    let mut state = shared.moderation.0.lock();

    if device.is_up() && state.others(&chosen, napi).next().is_some() {
        return Err(EBUSY);
    }
    let control = Access::new(device, feature);
    if control.is_none() {
        check_immediate(wanted)?;
    }
    if wanted.adaptive_rx {
        state.check_adaptive(shared, queue, wanted)?;
    }
    state
        .switch(device, &chosen, napi)
        .and_then(|()| match (control, queue) {
            (None, _) => Ok(()),
            (Some(control), None) => state.set_all(device, control, wanted),
            (Some(control), Some(queue)) => state.set_pair(device, control, queue, wanted),
        })
        .inspect_err(|_| state.switch_back(device, &chosen, napi))?;
    for index in chosen {
        if shared.device.has(features::VQ_NOTF_COAL) {
            device.set_adaptive_rx(index, wanted.adaptive_rx)?;
        }
        if let Some(pair) = state.pairs.get_mut(usize::from(index)) {
            pair.napi = napi;
        }
    }
    Ok(())
}

/// C function: `virtnet_coal_params_supported()`.
fn check_immediate(wanted: Coalesce) -> Result {
    if wanted.rx.usecs != 0 || wanted.tx.usecs != 0 {
        return Err(not_supported());
    }
    if wanted.tx.frames > 1 || wanted.rx.frames != 1 {
        return Err(EINVAL);
    }
    Ok(())
}

/// Restores what has been set in a device that has been reset.
///
/// Process context. May sleep.
///
/// # Errors
///
/// What [`Access::send`](crate::control::Access::send) says.
pub(crate) fn restore(device: &Device<VirtioNet>) -> Result {
    device.shared().moderation.0.lock().restore(device)
}

/// Resynchronises what has been set for all queues. The device forgets by that what was set for single ones.
///
/// As for [`restore`].
pub(crate) fn resync(device: &Device<VirtioNet>) -> Result {
    device.shared().moderation.0.lock().restore_all(device)
}

/// Whether there is a pair with the number `index`, and the device has settings for single queues.
pub(crate) fn has_own(device: &Device<VirtioNet>, index: u16) -> bool {
    Access::new(device, features::VQ_NOTF_COAL).is_some() && index < device.max_queues()
}

/// Resynchronises what has been set for the queues of a pair.
///
/// As for [`restore`].
pub(crate) fn resync_own(device: &Device<VirtioNet>, index: u16) -> Result {
    device
        .shared()
        .moderation
        .0
        .lock()
        .restore_own(device, index)
}

/// Puts off the interrupts of the receive queue `index` as the kernel has found to be best, unless
/// that is set by hand by now. C function: `virtnet_rx_dim_work()`.
///
/// Process context. May sleep. What the device refuses stays as it is.
pub(crate) fn adapt_rx(device: &Device<VirtioNet>, index: u16, found: Moderation) {
    let shared = device.shared();
    let Some(control) = Access::new(device, features::VQ_NOTF_COAL) else {
        return;
    };
    let mut state = shared.moderation.0.lock();
    let Some(pair) = state.pairs.get_mut(usize::from(index)) else {
        return;
    };
    if !pair.own.adaptive_rx || pair.own.rx == found {
        return;
    }
    match control.send(&SetQueueModeration(virtqueues(index).0, found)) {
        Ok(()) => pair.own.rx = found,
        Err(error) => dev_dbg!(
            shared.device,
            "device does not adapt the interrupts of receive queue {index}: {error:?}\n"
        ),
    }
}

/// Restores the setting of the receive queue `index`, which has been reset: it has that of all queues
/// now, at best.
///
/// # Errors
///
/// What [`Access::send`](crate::control::Access::send) says; then it keeps that.
pub(crate) fn restore_rx(device: &Device<VirtioNet>, index: u16) -> Result {
    restore_queue(device, index, virtqueues(index).0, |coalesce| {
        &mut coalesce.rx
    })
}

/// As [`restore_rx`], for the transmit queue.
///
/// # Errors
///
/// As there.
pub(crate) fn restore_tx(device: &Device<VirtioNet>, index: u16) -> Result {
    restore_queue(device, index, virtqueues(index).1, |coalesce| {
        &mut coalesce.tx
    })
}

fn restore_queue(
    device: &Device<VirtioNet>,
    index: u16,
    virtqueue: u16,
    side: fn(&mut Coalesce) -> &mut Moderation,
) -> Result {
    let shared = device.shared();
    let Some(control) = Access::new(device, features::VQ_NOTF_COAL) else {
        return Ok(());
    };
    let mut state = shared.moderation.0.lock();
    let mut all = state.all;
    let pair = state.pairs.get_mut(usize::from(index)).ok_or(EINVAL)?;
    let own = side(&mut pair.own);
    control
        .send(&SetQueueModeration(virtqueue, *own))
        .inspect_err(|error| {
            *own = *side(&mut all);
            dev_warn!(
                shared.device,
                "device raises interrupts of virtqueue {virtqueue} as of all queues: {error:?}\n"
            );
        })
}
