// SPDX-License-Identifier: GPL-2.0

//! A glance at a transmit queue, by the [watchdog](crate::health).

use super::{
    reclaim,
    xsk,
    VirtioNet, //
};
use crate::health::Ring;
use kernel::net::TxAccess;

/// What was so at the last glance.
#[derive(Default)]
pub(super) struct Watch {
    /// Whether the device had packets.
    owed: bool,
    /// How many packets it had given back since the interface was made.
    given_back: u64,
    /// At how many glances it had not given back any, in a row.
    silent: u32,
}

/// What is so now.
pub(crate) enum Seen {
    /// The device has no packets, or has given back some.
    Well,
    /// The device has packets, and has not given back any since the last glance, when it had none.
    Suspected,
    /// The device has had packets for so many glances more, and has not given back any.
    Silent(u32),
    /// The virtio core has given up the queue.
    Broken,
}

/// How a queue does, for whoever wants to know.
pub(crate) struct State {
    pub(crate) broken: bool,
    pub(crate) ring: Ring,
    /// For how many glances the device has had packets and not given back any.
    pub(crate) silent: u32,
}

/// Looks, and does nothing.
pub(crate) fn describe(tx: &mut TxAccess<'_, VirtioNet>) -> State {
    let ring = Ring::default();
    ring.look(&tx.state.queue);
    State {
        broken: tx.state.queue.is_broken(),
        ring,
        silent: tx.state.watch.silent,
    }
}

/// Takes back what the device has sent, and looks whether it has more. An interrupt need not tell of the last packets.
pub(crate) fn look(tx: &mut TxAccess<'_, VirtioNet>) -> Seen {
    if tx.state.queue.is_broken() {
        return Seen::Broken;
    }
    reclaim(tx);
    xsk::wake(tx);
    let given_back = tx.stats.packets.get();
    let owed = tx.state.queue.num_free() != tx.state.queue.size();
    let watch = &mut tx.state.watch;
    let none = owed && given_back == watch.given_back;
    let silent = if none && watch.owed {
        watch.silent.saturating_add(1)
    } else {
        0
    };
    *watch = Watch {
        owed,
        given_back,
        silent,
    };
    match silent {
        0 if none => Seen::Suspected,
        0 => Seen::Well,
        _ => Seen::Silent(silent),
    }
}

/// Forgets that the device has been silent.
pub(crate) fn forgive(tx: &mut TxAccess<'_, VirtioNet>) {
    tx.state.watch.silent = 0;
}

/// Tells the device again of what it has.
pub(crate) fn kick(tx: &mut TxAccess<'_, VirtioNet>) {
    if tx.state.queue.notify() {
        tx.stats.kicks.add(1);
    }
}
