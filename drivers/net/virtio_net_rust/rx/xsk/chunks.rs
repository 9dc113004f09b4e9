// SPDX-License-Identifier: GPL-2.0

//! Packets in several chunks of AF_XDP.

use super::{
    Bad,
    Rest, //
};
use kernel::{
    net::{
        DropReason,
        Polling,
        PoolBuffer,
        Program,
        RxSkb,
        XskBuff,
        XskChunk, //
    },
    virtio::queue::{
        Overrun,
        Virtqueue, //
    },
};

/// Whether `packet` may go on in `more` chunks if it is for `program`.
#[cold]
pub(super) fn goes_on(packet: &XskBuff<'_>, program: &Program<'_>, more: u16) -> bool {
    packet.may_go_on() && program.has_frags() && u32::from(more) <= XskBuff::MAX_MORE
}

/// Has `packet` go on in the `more` chunks that follow. Returns how many bytes these have.
///
/// # Errors
///
/// How many of them are still in the queue: one cannot be. If one is missing, the rest, if it comes, is not told apart from a packet.
#[cold]
pub(super) fn join(
    queue: &mut Virtqueue<XskChunk>,
    packet: &mut XskBuff<'_>,
    polling: &Polling<'_>,
    more: u16,
) -> Result<u32, u16> {
    let mut len = 0u32;
    for done in 0..more {
        let (chunk, written) = match queue.pop().ok_or(0u16)? {
            Ok(next) => next,
            // So long it cannot be, and it goes back.
            Err(Overrun { buffer, .. }) => (buffer, u32::MAX),
        };
        if !packet.append(polling, chunk, written) {
            return Err(more.wrapping_sub(done).wrapping_sub(1));
        }
        len = len.saturating_add(written);
    }
    Ok(len)
}

/// Copies `packet` for the stack.
pub(super) fn copy(
    mut packet: XskBuff<'_>,
    rest: &mut Rest,
    polling: &Polling<'_>,
) -> Result<RxSkb, Bad> {
    let mut skb = packet.to_skb(polling).ok_or(Bad::Memory)?;
    while let Some(part) = packet.next_part() {
        if let Err(bad) = copy_part(&part, rest, polling, &mut skb) {
            skb.drop_with(DropReason::DevHdr);
            return Err(bad);
        }
    }
    Ok(skb)
}

/// Copies `part` behind `skb`.
pub(super) fn copy_part(
    part: &XskBuff<'_>,
    rest: &mut Rest,
    polling: &Polling<'_>,
    skb: &mut RxSkb,
) -> Result<(), Bad> {
    let mut copied = 0u32;
    while copied < part.len() {
        let len = part.len().wrapping_sub(copied).min(PoolBuffer::WHOLE_PAGE);
        let buffer = rest.pool.alloc(polling.owner(), len);
        let mut buffer = PoolBuffer::from(buffer.ok_or(Bad::Memory)?);
        let len = part.copy_to(&mut buffer, copied);
        skb.append(buffer, len).map_err(|_| Bad::Length)?;
        copied = copied.saturating_add(len.max(1));
    }
    Ok(())
}
