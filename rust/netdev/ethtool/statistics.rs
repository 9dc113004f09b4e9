// SPDX-License-Identifier: GPL-2.0

//! `ethtool -S`.
//!
//! First come the sums, then the queues that are used now: all counters of the receive queues, then
//! of the transmit queues. The names are those of the driver's tables, after `rx_` and `tx_` for a
//! sum, `rx0_` and so on for a queue.
//!
//! The sums are over all queues: so they do not go backwards when fewer queues are used.

use super::EthtoolOps;
use crate::{
    bindings,
    stats::Named,
    Device,
    Driver, //
};
use core::fmt::Write;
use kernel::{
    fmt,
    prelude::*,
    str::NullTerminatedFormatter, //
};

/// The length of a name, in bytes, with the NUL at its end.
const NAME_LEN: usize = bindings::ETH_GSTRING_LEN as usize;

/// What a counter belongs to, as it is said in front of its name.
#[derive(Clone, Copy)]
enum Owner {
    All(&'static str),
    Queue(&'static str, usize),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(kind) => write!(f, "{kind}_"),
            Self::Queue(kind, index) => write!(f, "{kind}{index}_"),
        }
    }
}

fn visit_sums<'a, S: 'static, I: Iterator<Item = &'a S>>(
    kind: &'static str,
    table: &[Named<S>],
    queues: impl Fn() -> I,
    visit: &mut impl FnMut(Owner, &str, u64),
) {
    for counter in table {
        let sum = queues().fold(0u64, |sum, stats| sum.wrapping_add((counter.value)(stats)));
        visit(Owner::All(kind), counter.name, sum);
    }
}

fn visit_queues<'a, S: 'static>(
    kind: &'static str,
    table: &[Named<S>],
    queues: impl Iterator<Item = &'a S>,
    visit: &mut impl FnMut(Owner, &str, u64),
) {
    for (index, stats) in queues.enumerate() {
        for counter in table {
            visit(
                Owner::Queue(kind, index),
                counter.name,
                (counter.value)(stats),
            );
        }
    }
}

/// Calls `visit` for all counters in their order.
fn visit_all<T: Driver>(device: &Device<T>, mut visit: impl FnMut(Owner, &str, u64)) {
    let used = device.num_queues().into();
    let (rx, tx) = (|| device.rx_stats(), || device.tx_stats());

    visit_sums("rx", T::RX_COUNTERS, rx, &mut visit);
    visit_sums("tx", T::TX_COUNTERS, tx, &mut visit);
    visit_queues("rx", T::RX_COUNTERS, rx().take(used), &mut visit);
    visit_queues("tx", T::TX_COUNTERS, tx().take(used), &mut visit);
}

impl<T: Driver> EthtoolOps<T> {
    /// `get_sset_count`.
    ///
    /// # Safety
    ///
    /// See the type.
    pub(super) unsafe extern "C" fn get_sset_count(
        dev: *mut kernel::bindings::net_device,
        set: c_int,
    ) -> c_int {
        if set != bindings::ethtool_stringset_ETH_SS_STATS as c_int {
            return -(bindings::EOPNOTSUPP as c_int);
        }
        // SAFETY: See the type.
        let device = unsafe { Device::<T>::from_raw(dev.cast()) };
        let mut count = 0;
        visit_all(device, |_, _, _| count += 1);
        count
    }

    /// `get_strings`.
    ///
    /// # Safety
    ///
    /// See the type. For `ETH_SS_STATS` there is room for as many names at `names` as
    /// `get_sset_count` has said, since when the rtnl lock has been held.
    pub(super) unsafe extern "C" fn get_strings(
        dev: *mut kernel::bindings::net_device,
        set: u32,
        names: *mut u8,
    ) {
        if set != bindings::ethtool_stringset_ETH_SS_STATS {
            return;
        }
        // SAFETY: See the type.
        let device = unsafe { Device::<T>::from_raw(dev.cast()) };
        let mut next = names.cast::<[u8; NAME_LEN]>();

        visit_all(device, |owner, name, _| {
            let mut text = [0; NAME_LEN];
            if let Some(mut to) = NullTerminatedFormatter::new(&mut text) {
                // One that is too long is cut off, as in C.
                let _ = to.write_fmt(fmt!("{owner}{name}"));
            }
            // SAFETY: By the requirements of this function. The number of counters changes with the
            // number of queues that are used, for which the rtnl lock is needed.
            unsafe {
                next.write(text);
                next = next.add(1);
            }
        });
    }

    /// `get_ethtool_stats`.
    ///
    /// # Safety
    ///
    /// See the type. There is room for as many values at `values` as `get_sset_count` has said,
    /// since when the rtnl lock has been held.
    pub(super) unsafe extern "C" fn get_ethtool_stats(
        dev: *mut kernel::bindings::net_device,
        _stats: *mut bindings::ethtool_stats,
        values: *mut u64,
    ) {
        // SAFETY: See the type.
        let device = unsafe { Device::<T>::from_raw(dev.cast()) };
        let mut next = values;

        visit_all(device, |_, _, value| {
            // SAFETY: As for `get_strings`.
            unsafe {
                next.write(value);
                next = next.add(1);
            }
        });
    }
}
