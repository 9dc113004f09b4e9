// SPDX-License-Identifier: GPL-2.0

//! Sending without NAPI (`napi_tx=0`): nobody waits for a packet to be freed, so the device is asked
//! for an interrupt only when the queue is full.

use super::{
    add,
    reclaim,
    xsk,
    Shared,
    VirtioNet, //
};
use kernel::net::{
    DropReason,
    SkBuff,
    TxAccess, //
};

/// Sends a packet that its sender need not wait for, after it has freed those that the device has
/// taken.
///
/// C function: `start_xmit()`.
pub(super) fn start_xmit(
    shared: &Shared,
    mut tx: TxAccess<'_, VirtioNet>,
    mut skb: SkBuff,
    more: bool,
) {
    reclaim(&mut tx);
    xsk::wake(&mut tx);
    skb.tx_timestamp();
    match skb.orphan() {
        Err(skb) => {
            skb.drop_with(DropReason::NoMem);
            tx.stats.drops.add(1);
        }
        Ok(skb) => {
            if add(&mut tx.state.queue, shared, skb).is_err() {
                tx.stats.errors.add(1);
            }
        }
    }

    let full = tx.state.is_full();
    if full {
        tx.queue.stop();
        tx.stats.stop.add(1);
    }
    // Also after an error: packets that were added before may wait for it.
    if full || !more {
        if tx.state.queue.kick() {
            tx.stats.kicks.add(1);
        }
    }
    if full && !tx.state.queue.enable_cb_delayed() {
        tx.napi.schedule_after(|| tx.state.queue.disable_cb());
    }
}
