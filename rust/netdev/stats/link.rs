// SPDX-License-Identifier: GPL-2.0

//! What `ndo_get_stats64` reports: sums over all queues, also those that are not used now.
//!
//! C header: [`include/uapi/linux/if_link.h`](srctree/include/uapi/linux/if_link.h)

use super::{
    RxTotals,
    TxTotals, //
};
use crate::bindings;

/// What `ndo_get_stats64` fills in.
#[repr(transparent)]
pub(crate) struct LinkStats(bindings::rtnl_link_stats64);

impl LinkStats {
    /// # Safety
    ///
    /// `raw` is valid for reads and writes for the lifetime `'a`, and nothing else uses it.
    pub(crate) unsafe fn from_raw<'a>(raw: *mut bindings::rtnl_link_stats64) -> &'a mut Self {
        // SAFETY: By the requirement of this function; the type is transparent.
        unsafe { &mut *raw.cast() }
    }

    /// Adds the counters of a receive queue. The errors count into `rx_errors` as well.
    pub(crate) fn add_rx(&mut self, rx: &RxTotals) {
        let s = &mut self.0;
        s.rx_packets = s.rx_packets.wrapping_add(rx.packets);
        s.rx_bytes = s.rx_bytes.wrapping_add(rx.bytes);
        s.rx_dropped = s.rx_dropped.wrapping_add(rx.dropped);
        s.rx_length_errors = s.rx_length_errors.wrapping_add(rx.length_errors);
        s.rx_frame_errors = s.rx_frame_errors.wrapping_add(rx.frame_errors);
        s.rx_errors = s
            .rx_errors
            .wrapping_add(rx.length_errors)
            .wrapping_add(rx.frame_errors);
    }

    /// Adds the counters of a transmit queue.
    pub(crate) fn add_tx(&mut self, tx: &TxTotals) {
        let s = &mut self.0;
        s.tx_packets = s.tx_packets.wrapping_add(tx.packets);
        s.tx_bytes = s.tx_bytes.wrapping_add(tx.bytes);
        s.tx_errors = s.tx_errors.wrapping_add(tx.errors);
        s.tx_dropped = s.tx_dropped.wrapping_add(tx.dropped);
        s.tx_fifo_errors = s.tx_fifo_errors.wrapping_add(tx.fifo_errors);
    }
}
