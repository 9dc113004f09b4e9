// SPDX-License-Identifier: GPL-2.0

//! Sending frames of XDP: also through the queues that the stack has, under the same lock.
//!
//! Whatever the number of queues is, a CPU finds one. Frames take the room that there is, so the stack's queue is stopped as for a packet of the
//! stack, and woken when there is room again. They do not count in the byte queue limits, which would keep the
//! stack from sending because of what is not its own.

use super::{
    kick,
    reclaim,
    xsk, //
};
use crate::{
    stats,
    Shared,
    VirtioNet, //
};
use kernel::{
    net::{
        Frames,
        TxAccess,
        XdpFrame, //
    },
    prelude::*,
    virtio::queue::Virtqueue,
    vnet::{
        Packet,
        Sent,
        SentFrame, //
    },
};

/// Returns the memory of a frame that the device has sent, and counts it.
// Apart, so that it costs what frees packets of the stack no more than a branch.
#[cold]
#[inline(never)]
pub(super) fn returned(tx: &mut TxAccess<'_, VirtioNet>, frame: SentFrame) {
    let frame = frame.into_frame();
    tx.state.frames = tx.state.frames.wrapping_sub(1);
    tx.stats.packets.add(1);
    tx.stats.bytes.add(frame.len().into());
}

/// Sends frames. Those that the queue does not take stay with the caller, and are counted.
///
/// C functions: `virtnet_xdp_xmit()`, `virtnet_xdp_tx()`.
pub(crate) fn xmit_frames(
    shared: &Shared,
    tx: Option<TxAccess<'_, VirtioNet>>,
    stats: &stats::Tx,
    frames: &mut Frames<'_>,
    flush: bool,
) {
    if let Some(mut tx) = tx {
        reclaim(&mut tx);
        xsk::wake(&mut tx);
        let state = &mut *tx.state;
        frames.send(|frame| add(&mut state.queue, shared, frame));
        // CAST: There are few.
        state.frames = state.frames.wrapping_add(frames.sent() as u32);
        let full = state.is_full();
        if full {
            tx.queue.stop();
            stats.stop.add(1);
        }
        if flush || full {
            kick(state, stats, tx.napi);
        }
    }
    let unsent = frames.len().wrapping_sub(frames.sent());
    stats.xdp_tx.add(frames.len() as u64);
    if unsent != 0 {
        stats.xdp_tx_drops.add(unsent as u64);
    }
}

/// Lends a frame to the device.
#[inline]
fn add(queue: &mut Virtqueue<Packet>, shared: &Shared, frame: XdpFrame) -> Result<(), XdpFrame> {
    queue
        .add_outbuf(Packet::of_frame(frame, &shared.framing))
        .map_err(|rejected| match rejected.buffer {
            Sent::Frame(frame) => frame.into_frame(),
            // It is the frame that comes back.
            Sent::Skb(_) | Sent::Xsk(_) => unreachable!(),
        })
}
