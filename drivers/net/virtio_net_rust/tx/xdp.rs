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

/// Sends frames. Those that the queue does not take stay with the caller, and are counted. So are those that it never will, as they
/// are too long or have more parts than its ring has descriptors: they are dropped, and those behind them sent.
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
        let mut dropped = 0u32;
        frames.send(|frame| {
            if !is_too_long(&frame, shared) {
                match add(&mut state.queue, shared, frame) {
                    Err((_frame, EMSGSIZE)) => (),
                    result => return result.map_err(|(frame, _)| frame),
                }
            }
            dropped = dropped.wrapping_add(1);
            Ok(())
        });
        // CAST: There are few.
        let lent = (frames.sent() as u32).wrapping_sub(dropped);
        state.frames = state.frames.wrapping_add(lent);
        if dropped != 0 {
            stats.xdp_tx_drops.add(dropped.into());
        }
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

/// Whether a frame is longer than the device takes (virtio 1.3, section 5.1.4.2). A program may have made it so, or it has come like
/// that from a device which does not keep to its own MTU. C sends it.
#[inline]
fn is_too_long(frame: &XdpFrame, shared: &Shared) -> bool {
    let (len, most) = (frame.len(), shared.mode.longest_sent);
    len > most && len.wrapping_sub(most) > frame.vlan_len()
}

/// Lends a frame to the device.
#[inline]
fn add(
    queue: &mut Virtqueue<Packet>,
    shared: &Shared,
    frame: XdpFrame,
) -> Result<(), (XdpFrame, Error)> {
    queue
        .add_outbuf(Packet::of_frame(frame, &shared.framing))
        .map_err(|rejected| match rejected.buffer {
            Sent::Frame(frame) => (frame.into_frame(), rejected.error),
            // It is the frame that comes back.
            Sent::Skb(_) | Sent::Xsk(_) => unreachable!(),
        })
}
