// SPDX-License-Identifier: GPL-2.0

//! Counters that the device keeps, beside those of the driver.

use kernel::prelude::*;

/// The names of the counters that the device keeps and `ethtool -S` shows, in its order.
#[derive(Default)]
pub struct DeviceCounters {
    /// Of each receive queue; the name of the queue comes before them, as in `rx0_hw_packets`.
    pub rx: KVec<&'static str>,
    /// Of each transmit queue.
    pub tx: KVec<&'static str>,
    /// Of the control queue, which is called `cq`.
    pub control: KVec<&'static str>,
}

/// The values of [`DeviceCounters`], 0 at first, of all queues that there are.
#[derive(Default)]
pub struct DeviceValues {
    rx: Table,
    tx: Table,
    control: Table,
}

/// As many values for one queue as for the next.
#[derive(Default)]
struct Table {
    width: usize,
    values: KVVec<u64>,
}

impl Table {
    fn new(width: usize, queues: u16) -> Result<Self> {
        let values = KVVec::from_elem(0, width * usize::from(queues), GFP_KERNEL)?;
        Ok(Self { width, values })
    }

    fn row(&mut self, queue: u16) -> &mut [u64] {
        let start = self.width * usize::from(queue);
        self.values
            .get_mut(start..start + self.width)
            .unwrap_or_default()
    }

    fn get(&self, queue: u16, counter: usize) -> u64 {
        let at = self.width * usize::from(queue) + counter;
        self.values.get(at).copied().unwrap_or(0)
    }
}

impl DeviceValues {
    /// Process context. May sleep.
    pub(crate) fn new(counters: &DeviceCounters, pairs: u16) -> Result<Self> {
        Ok(Self {
            rx: Table::new(counters.rx.len(), pairs)?,
            tx: Table::new(counters.tx.len(), pairs)?,
            control: Table::new(counters.control.len(), 1)?,
        })
    }

    /// Those of a receive queue; empty if there is no such queue.
    pub fn rx(&mut self, queue: u16) -> &mut [u64] {
        self.rx.row(queue)
    }

    /// Those of a transmit queue; empty if there is no such queue.
    pub fn tx(&mut self, queue: u16) -> &mut [u64] {
        self.tx.row(queue)
    }

    /// Those of the control queue.
    pub fn control(&mut self) -> &mut [u64] {
        self.control.row(0)
    }

    pub(crate) fn rx_value(&self, queue: u16, counter: usize) -> u64 {
        self.rx.get(queue, counter)
    }

    pub(crate) fn tx_value(&self, queue: u16, counter: usize) -> u64 {
        self.tx.get(queue, counter)
    }

    pub(crate) fn control_value(&self, counter: usize) -> u64 {
        self.control.get(0, counter)
    }
}

/// Declares a structure of counters that may be unknown, each a field of the C structure `$c`.
macro_rules! reported {
    ($(#[$doc:meta])* $name:ident: $c:ident { $($(#[$field_doc:meta])* $field:ident,)+ }) => {
        $(#[$doc])*
        #[derive(Default)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: Option<u64>,)+
        }

        impl $name {
            /// Hands those that are known to the stack.
            pub(crate) fn report(&self, stats: &mut crate::bindings::$c) {
                $(if let Some(value) = self.$field {
                    stats.$field = value;
                })+
            }
        }
    };
}

reported! {
    /// What the device has counted of a receive queue, as far as the stack wants to know it.
    RxReported: netdev_queue_stats_rx {
        /// Packets that the device has dropped, for whatever reason.
        hw_drops,
        /// Those of them that found no buffer.
        hw_drop_overruns,
        /// Packets whose checksum the device has found to be right.
        csum_unnecessary,
        /// Packets whose checksum the device has not looked at.
        csum_none,
        /// Packets whose checksum the device has found to be wrong.
        csum_bad,
        /// Packets that the device has made of several.
        hw_gro_packets,
        /// Bytes of these.
        hw_gro_bytes,
        /// Packets that these were made of.
        hw_gro_wire_packets,
        /// Bytes of the packets that these were made of.
        hw_gro_wire_bytes,
        /// Packets that were dropped since there were too many in a time.
        hw_drop_ratelimits,
    }
}

reported! {
    /// What the device has counted of a transmit queue, as far as the stack wants to know it.
    TxReported: netdev_queue_stats_tx {
        /// Packets that the device has dropped, for whatever reason.
        hw_drops,
        /// Those of them that were malformed.
        hw_drop_errors,
        /// Packets whose checksum was not the device's to complete.
        csum_none,
        /// Packets whose checksum was.
        needs_csum,
        /// Packets that the device has segmented.
        hw_gso_packets,
        /// Bytes of these.
        hw_gso_bytes,
        /// Packets that were made of these.
        hw_gso_wire_packets,
        /// Bytes of the packets that were made of these.
        hw_gso_wire_bytes,
        /// Packets that were dropped since there were too many in a time.
        hw_drop_ratelimits,
    }
}
