// SPDX-License-Identifier: GPL-2.0

//! What has become of the packets of a poll.

use super::VirtioNet;
use crate::stats;
use kernel::net::{
    Device,
    Polling,
    TxBulk,
    Verdict, //
};

/// Counts packets by what has become of them. What a program sends back is collected, so that the lock of the transmit queue is
/// taken and the device told once for several.
pub(super) struct Tally {
    packets: u64,
    bytes: u64,
    sent_back: u64,
    redirected: u64,
    dropped: u64,
    bulk: TxBulk,
}

impl Tally {
    #[inline]
    pub(super) fn new() -> Self {
        Self {
            packets: 0,
            bytes: 0,
            sent_back: 0,
            redirected: 0,
            dropped: 0,
            bulk: TxBulk::new(),
        }
    }

    /// Takes a packet of `len` bytes into account. Returns it if it is for the stack.
    #[inline(always)]
    pub(super) fn add<P>(
        &mut self,
        device: &Device<VirtioNet>,
        polling: &Polling<'_>,
        verdict: Verdict<P>,
        len: u32,
    ) -> Option<P> {
        self.packets = self.packets.wrapping_add(1);
        self.bytes = self.bytes.wrapping_add(len.into());
        match verdict {
            Verdict::Pass(packet) => return Some(packet),
            Verdict::Tx(frame) => {
                self.sent_back = self.sent_back.wrapping_add(1);
                // There is room, as a full one is sent.
                let _ = self.bulk.push(frame);
                if self.bulk.is_full() {
                    device.send_back(polling, &mut self.bulk);
                }
            }
            Verdict::Redirected => self.redirected = self.redirected.wrapping_add(1),
            Verdict::Dropped => self.dropped = self.dropped.wrapping_add(1),
        }
        None
    }

    /// Sends what has been collected, and counts, also as packets that a program saw if `for_program` says so. All packets count as
    /// received, whatever has become of them.
    #[inline(always)]
    pub(super) fn finish(
        &mut self,
        device: &Device<VirtioNet>,
        polling: &Polling<'_>,
        stats: &stats::Rx,
        for_program: bool,
    ) {
        if !self.bulk.is_empty() {
            device.send_back(polling, &mut self.bulk);
        }
        stats.packets.add(self.packets);
        stats.bytes.add(self.bytes);
        if for_program {
            stats.xdp_packets.add(self.packets);
            stats.xdp_tx.add(self.sent_back);
            stats.xdp_redirects.add(self.redirected);
            stats.xdp_drops.add(self.dropped);
            stats.drops.add(self.dropped);
        }
    }
}
