// SPDX-License-Identifier: GPL-2.0

//! Receiving packets that an XDP program sees first.

use super::{
    deliver,
    no_memory,
    Bad,
    Lent,
    Ring,
    Tally,
    VirtioNet, //
};
use crate::{
    stats,
    Shared, //
};
use kernel::{
    net::{
        Device,
        Exclusive,
        Polling,
        Program,
        XdpRoom, //
    },
    virtio::queue::Overrun,
    vnet::Header, //
};

/// As [`fill`](super::fill), with buffers for packets that a program is going to see: a loop of its own, as a
/// common one with a closure costs each packet without a program up to 45 instructions.
#[inline(never)]
pub(super) fn fill<R: Ring>(ring: &mut R, stats: &stats::Rx, owner: &Exclusive<'_>, free: u32) {
    while ring.queue().num_free() > free {
        match ring.lend_for_program(owner) {
            Lent::Yes => {}
            Lent::NoRoom => break,
            Lent::NoMemory => return no_memory(stats, owner),
        }
    }
}

/// Receives up to `budget` packets, has `program` decide about them, and returns how many there were, bad ones included.
///
/// C functions: `virtnet_receive()`, `virtnet_xdp_handler()`.
#[inline(never)]
pub(super) fn receive<R: Ring>(
    ring: &mut R,
    device: &Device<VirtioNet>,
    stats: &stats::Rx,
    polling: &Polling<'_>,
    program: &Program<'_>,
    budget: u32,
) -> u32 {
    let mut seen = 0u32;
    let (mut room, mut tally) = (XdpRoom::new(), Tally::new());

    while seen < budget {
        let Some(next) = ring.queue().pop() else {
            break;
        };
        seen = seen.wrapping_add(1);
        let result = match next {
            Ok((buffer, written)) => {
                let shared = device.shared();
                ring.receive_for_program(&mut room, shared, polling, program, buffer, written)
            }
            Err(Overrun { .. }) => Err(Bad::Length),
        };
        let (verdict, len, header) = match result {
            Ok(result) => result,
            Err(bad) => {
                bad.count(stats);
                continue;
            }
        };
        if let Some(packet) = tally.add(device, polling, verdict, len) {
            let passed = packet
                .into_skb(polling)
                .ok_or(Bad::Memory)
                .and_then(|skb| deliver(skb, device.shared(), polling, header));
            if let Err(bad) = passed {
                bad.count(stats);
            }
        }
    }
    tally.finish(device, polling, stats, true);
    seen
}

/// Why a packet with this header, which is not as on the wire, is not for a program.
#[cold]
pub(super) fn not_plain(header: &Header, shared: &Shared) -> Bad {
    if header.has_unnegotiated_gso(&shared.framing) {
        Bad::Frame
    } else {
        Bad::Program
    }
}
