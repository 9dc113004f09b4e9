// SPDX-License-Identifier: GPL-2.0

//! `ethtool -S`.
//!
//! First come the sums, the control queue and the counters of the driver for the whole device, then the queues that
//! are used now: all counters of the receive queues, then of the transmit queues. The names are those of the driver's
//! tables and then those of the device's counters, after `rx_` and `tx_` for a sum, `rx0_` and so on for a queue.
//!
//! The sums are over all queues: so they do not go backwards when fewer queues are used.

use super::EthtoolOps;
use crate::{
    bindings,
    stats::{
        DeviceCounters,
        DeviceValues,
        Named, //
    },
    Device,
    Driver,
    Locked,
    Operations, //
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
    Queue(&'static str, u16),
    Device,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(kind) => write!(f, "{kind}_"),
            Self::Queue(kind, index) => write!(f, "{kind}{index}_"),
            Self::Device => Ok(()),
        }
    }
}

/// What is called for each counter: with what it belongs to, its name and its value.
type Visit<'a> = dyn FnMut(Owner, &str, u64) + 'a;

/// Calls `visit` for the counters of one owner: those of the driver, then those of the device.
fn visit_owner<S: 'static>(
    owner: Owner,
    (table, of_driver): (&[Named<S>], impl Fn(&Named<S>) -> u64),
    (names, of_device): (&[&str], impl Fn(usize) -> u64),
    visit: &mut Visit<'_>,
) {
    for counter in table {
        visit(owner, counter.name, of_driver(counter));
    }
    for (index, name) in names.iter().enumerate() {
        visit(owner, name, of_device(index));
    }
}

/// Calls `visit` for the sums over all queues of one direction.
fn visit_sums<'a, S: 'static, I: Iterator<Item = &'a S>>(
    kind: &'static str,
    (table, queues): (&[Named<S>], impl Fn() -> I),
    (names, of_device): (&[&str], impl Fn(u16, usize) -> u64),
    visit: &mut Visit<'_>,
) {
    let sum = |values: &mut dyn Iterator<Item = u64>| values.fold(0, u64::wrapping_add);
    visit_owner(
        Owner::All(kind),
        (table, |counter| {
            sum(&mut queues().map(|stats| (counter.value)(stats)))
        }),
        (names, |counter| {
            sum(&mut (0..)
                .zip(queues())
                .map(|(queue, _)| of_device(queue, counter)))
        }),
        visit,
    );
}

/// Calls `visit` for `queues` of one direction.
fn visit_queues<'a, S: 'static>(
    kind: &'static str,
    (table, queues): (&[Named<S>], impl Iterator<Item = &'a S>),
    (names, of_device): (&[&str], impl Fn(u16, usize) -> u64),
    visit: &mut Visit<'_>,
) {
    for (queue, stats) in (0..).zip(queues) {
        visit_owner(
            Owner::Queue(kind, queue),
            (table, |counter| (counter.value)(stats)),
            (names, |counter| of_device(queue, counter)),
            visit,
        );
    }
}

/// Calls `visit` for all counters in their order. `values` are the device's.
fn visit_all<T: Counters>(device: &Device<T>, values: &DeviceValues, visit: &mut Visit<'_>) {
    let used = device.num_queues().into();
    let (rx, tx) = (|| device.rx_stats(), || device.tx_stats());
    let none = DeviceCounters::default();
    let names = device.device_counters().unwrap_or(&none);
    let rx_of_device = |queue, counter| values.rx_value(queue, counter);
    let tx_of_device = |queue, counter| values.tx_value(queue, counter);
    let (rx_table, tx_table) = (T::RX_COUNTERS, T::TX_COUNTERS);

    visit_sums("rx", (rx_table, rx), (&names.rx, rx_of_device), visit);
    visit_sums("tx", (tx_table, tx), (&names.tx, tx_of_device), visit);
    for (counter, name) in names.control.iter().enumerate() {
        visit(Owner::All("cq"), name, values.control_value(counter));
    }
    for counter in T::COUNTERS {
        visit(Owner::Device, counter.name, (counter.value)(device));
    }
    let (rx, tx) = (rx().take(used), tx().take(used));
    visit_queues("rx", (rx_table, rx), (&names.rx, rx_of_device), visit);
    visit_queues("tx", (tx_table, tx), (&names.tx, tx_of_device), visit);
}

/// Has the driver read the device's counters, if there are any. Without memory they are not read.
fn read_device<T: Counters>(device: &Locked<'_, T>) -> DeviceValues {
    let values = device
        .device_counters()
        .and_then(|counters| DeviceValues::new(counters, device.max_queues()).ok());
    let Some(mut values) = values else {
        return DeviceValues::default();
    };
    T::read_device_counters(device, &mut values);
    values
}

/// A driver with counters that `ethtool -S` shows.
pub trait Counters: Driver {
    /// The counters of the whole device, in this order.
    const COUNTERS: &'static [Named<Device<Self>>] = &[];
    /// The counters of a receive queue, in this order.
    const RX_COUNTERS: &'static [Named<Self::RxStats>];
    /// The counters of a transmit queue, in this order.
    const TX_COUNTERS: &'static [Named<Self::TxStats>];

    /// Reads the counters that [`Locked::set_device_counters`](crate::Locked::set_device_counters) has named; those that cannot be read
    /// stay 0. Not called if there are none.
    ///
    /// `get_ethtool_stats` of ethtool: process context, the device locked, may sleep.
    fn read_device_counters(_device: &Locked<'_, Self>, _values: &mut DeviceValues) {}
}

impl<T: Counters> Operations<T> {
    /// There are counters.
    pub const fn counters(mut self) -> Self {
        self.ethtool.get_sset_count = Some(EthtoolOps::<T>::get_sset_count);
        self.ethtool.get_strings = Some(EthtoolOps::<T>::get_strings);
        self.ethtool.get_ethtool_stats = Some(EthtoolOps::<T>::get_ethtool_stats);
        self
    }
}

impl<T: Counters> EthtoolOps<T> {
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
        visit_all(device, &DeviceValues::default(), &mut |_, _, _| count += 1);
        count
    }

    /// `get_strings`.
    ///
    /// # Safety
    ///
    /// See the type. For `ETH_SS_STATS` there is room for as many names at `names` as
    /// `get_sset_count` has said, since when the lock of the device has been held.
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

        visit_all(device, &DeviceValues::default(), &mut |owner, name, _| {
            let mut text = [0; NAME_LEN];
            if let Some(mut to) = NullTerminatedFormatter::new(&mut text) {
                // One that is too long is cut off, as in C.
                let _ = to.write_fmt(fmt!("{owner}{name}"));
            }
            // SAFETY: By the requirements of this function. The number of counters changes with the
            // number of queues that are used, for which the lock is needed.
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
    /// since when the lock of the device has been held.
    pub(super) unsafe extern "C" fn get_ethtool_stats(
        dev: *mut kernel::bindings::net_device,
        _stats: *mut bindings::ethtool_stats,
        values: *mut u64,
    ) {
        // SAFETY: See the type. The stack holds the lock of the device during the call.
        let device = unsafe { Self::locked(dev) };
        let mut next = values;

        visit_all(&device, &read_device(&device), &mut |_, _, value| {
            // SAFETY: As for `get_strings`.
            unsafe {
                next.write(value);
                next = next.add(1);
            }
        });
    }
}
