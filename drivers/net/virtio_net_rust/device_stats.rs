// SPDX-License-Identifier: GPL-2.0

//! What the device counts of its queues (virtio 1.3, section 5.1.6.5.10): for `ethtool -S`, and for
//! the stack's statistics of queues.
//!
//! Whatever the answer says about its own length is bounded by the room that there was for it, which has zeroes
//! where the device has written nothing. What it says about queues and counters that were not asked for is not
//! looked at.

mod answer;
mod types;

use crate::{
    control::{
        commands::{
            GetStats,
            QueryStats, //
        },
        with_deadline,
        Access, //
    },
    features,
    VirtioNet, //
};
use answer::{
    entries,
    Entry,
    HEADER, //
};
use kernel::{
    net::{
        self,
        stats::{
            DeviceCounters,
            DeviceValues,
            RxReported,
            TxReported, //
        },
        Locked, //
    },
    prelude::*,
    sync::SetOnce, //
};
use types::Type;

impl net::stats::DeviceReports for VirtioNet {
    fn rx_reported(device: &Locked<'_, Self>, queue: Option<u16>) -> RxReported {
        rx(device, queue)
    }

    fn tx_reported(device: &Locked<'_, Self>, queue: Option<u16>) -> TxReported {
        tx(device, queue)
    }
}

/// How many virtqueues are asked about at once, so that no answer takes a long piece of memory: one
/// is of less than 256 bytes for each.
const AT_ONCE: usize = 32;

/// The types of statistics that the device keeps, a set of bits; not set if it keeps none.
#[derive(Default)]
pub(crate) struct DeviceStats(SetOnce<u64>);

/// A virtqueue.
#[derive(Clone, Copy)]
pub(crate) enum Queue {
    /// The receive queue of this pair.
    Rx(u16),
    /// The transmit queue of this pair.
    Tx(u16),
    /// The control queue, after so many pairs.
    Control(u16),
}

impl Queue {
    /// The number that the device knows it by (virtio 1.3, section 5.1.2).
    pub(crate) fn number(self) -> u16 {
        match self {
            Self::Rx(pair) | Self::Control(pair) => pair.wrapping_mul(2),
            Self::Tx(pair) => pair.wrapping_mul(2).wrapping_add(1),
        }
    }

    /// The length of the statistics of a set of types, in bytes.
    fn len(self, types: u64) -> usize {
        fn sum<Q>(all: &[Type<Q>], types: u64) -> usize {
            let kept = all.iter().filter(|kind| kind.is_in(types));
            kept.map(|kind| HEADER + kind.counters * size_of::<u64>())
                .sum()
        }
        match self {
            Self::Rx(_) => sum(types::RX, types),
            Self::Tx(_) => sum(types::TX, types),
            Self::Control(_) => sum(types::CONTROL, types),
        }
    }
}

/// Asks the device which statistics it keeps, and has `ethtool -S` show them. If that fails there is a
/// line in the log, and there are none.
///
/// Process context, after the device has been told to start. May sleep. C function: in
/// `virtnet_probe()`, which fails then.
pub(crate) fn start(device: &Locked<'_, VirtioNet>) {
    let shared = device.shared();
    let Some(control) = Access::new(device, features::DEVICE_STATS) else {
        return;
    };
    let kept = kept_types(control).and_then(|types| {
        device.set_device_counters(DeviceCounters {
            rx: names(types::RX, types)?,
            tx: names(types::TX, types)?,
            control: names(types::CONTROL, types)?,
        })?;
        Ok(types)
    });
    match kept {
        Ok(types) => _ = shared.device_stats.0.populate(types),
        Err(error) => dev_err!(
            shared.device,
            "device does not say what it counts, nothing of it is shown: {error:?}\n"
        ),
    }
}

/// # Errors
///
/// What [`Access::ask`] says; `EIO` if there are none.
fn kept_types(control: Access<'_>) -> Result<u64> {
    let answer = control.ask(&QueryStats, size_of::<u64>())?;
    match answer
        .first_chunk()
        .map_or(0, |types| u64::from_le_bytes(*types))
    {
        0 => Err(EIO),
        types => Ok(types),
    }
}

/// The names that `ethtool -S` shows of a set of types.
fn names<Q>(all: &[Type<Q>], types: u64) -> Result<KVec<&'static str>> {
    let mut names = KVec::new();
    for kind in all.iter().filter(|kind| kind.is_in(types)) {
        for &(_, name) in kind.named {
            names.push(name, GFP_KERNEL)?;
        }
    }
    Ok(names)
}

/// Reads what `ethtool -S` shows. C function: `virtnet_get_hw_stats()`.
///
/// Process context. May sleep. What cannot be read stays as it is, after a line in the log.
pub(crate) fn read(device: &Locked<'_, VirtioNet>, values: &mut DeviceValues) {
    let shared = device.shared();
    let pairs = device.max_queues();
    let types = shared.device_stats.0.copy().unwrap_or(0);
    let (rx, tx) = (shown(types::RX, types), shown(types::TX, types));
    let control = shown(types::CONTROL, types);
    let of_pairs = (0..pairs).flat_map(|pair| [(Queue::Rx(pair), rx), (Queue::Tx(pair), tx)]);
    let all = Iterator::chain(of_pairs, [(Queue::Control(pairs), control)]);

    ask(device, all, |queue, entry| match queue {
        Queue::Rx(pair) => fill(types::RX, types, entry, values.rx(pair)),
        Queue::Tx(pair) => fill(types::TX, types, entry, values.tx(pair)),
        Queue::Control(_) => fill(types::CONTROL, types, entry, values.control()),
    });
}

/// Those of a set of types that `ethtool -S` shows something of.
fn shown<Q>(all: &[Type<Q>], types: u64) -> u64 {
    subset(all, types, |kind| !kind.named.is_empty())
}

/// Those of a set of types that `wanted` says.
fn subset<Q>(all: &[Type<Q>], types: u64, wanted: impl Fn(&Type<Q>) -> bool) -> u64 {
    all.iter()
        .filter(|kind| kind.is_in(types) && wanted(kind))
        .fold(0, |set, kind| set | kind.bit())
}

/// Puts what `ethtool -S` shows of an entry where it belongs in `values`.
fn fill<Q>(all: &[Type<Q>], types: u64, entry: &Entry<'_>, values: &mut [u64]) {
    let places = all
        .iter()
        .filter(|kind| kind.is_in(types))
        .flat_map(|kind| kind.named.iter().map(move |&(place, _)| (kind, place)));
    for (value, (kind, place)) in values.iter_mut().zip(places) {
        if kind.number == entry.number {
            *value = entry.counter(place).unwrap_or(*value);
        }
    }
}

/// What the device has counted of a receive queue, or 0 for all that it counts. C function:
/// `virtnet_get_queue_stats_rx()`.
///
/// Process context. May sleep. What cannot be read is not known, after a line in the log.
pub(crate) fn rx(device: &Locked<'_, VirtioNet>, queue: Option<u16>) -> RxReported {
    reported(types::RX, device, queue.map(Queue::Rx))
}

/// As [`rx`], of a transmit queue. C function: `virtnet_get_queue_stats_tx()`.
pub(crate) fn tx(device: &Locked<'_, VirtioNet>, queue: Option<u16>) -> TxReported {
    reported(types::TX, device, queue.map(Queue::Tx))
}

fn reported<Q: Default>(
    all: &'static [Type<Q>],
    device: &Locked<'_, VirtioNet>,
    queue: Option<Queue>,
) -> Q {
    let mut to = Q::default();
    let types = device.shared().device_stats.0.copy().unwrap_or(0);
    let types = subset(all, types, |kind| !kind.reported.is_empty());
    let kinds = || all.iter().filter(|kind| kind.is_in(types));

    match queue {
        Some(queue) => ask(device, [(queue, types)], |_, entry| {
            for kind in kinds().filter(|kind| kind.number == entry.number) {
                for (place, field) in kind.reported {
                    *field(&mut to) = entry.counter(*place);
                }
            }
        }),
        None => {
            for (_, field) in kinds().flat_map(|kind| kind.reported) {
                *field(&mut to) = Some(0);
            }
        }
    }
    to
}

/// Asks for statistics: of each virtqueue that of a set of types. Calls `take` for what comes of
/// that. All of it has as long as a single command has.
fn ask(
    device: &Locked<'_, VirtioNet>,
    wanted: impl IntoIterator<Item = (Queue, u64)>,
    mut take: impl FnMut(Queue, &Entry<'_>),
) {
    let Some(control) = Access::new(device, features::DEVICE_STATS) else {
        return;
    };
    let mut wanted = wanted.into_iter().filter(|&(_, types)| types != 0);
    let ask_all = || -> Result {
        let mut some = KVec::with_capacity(AT_ONCE, GFP_KERNEL)?;
        loop {
            some.clear();
            for one in wanted.by_ref().take(AT_ONCE) {
                some.push(one, GFP_KERNEL)?;
            }
            if some.is_empty() {
                return Ok(());
            }
            ask_at_once(control, &some, &mut take)?;
        }
    };
    if let Err(error) = with_deadline(device, ask_all) {
        dev_err!(
            device.shared().device,
            "device does not say what it has counted: {error:?}\n"
        );
    }
}

fn ask_at_once(
    control: Access<'_>,
    queues: &[(Queue, u64)],
    take: &mut impl FnMut(Queue, &Entry<'_>),
) -> Result {
    let room = queues.iter().map(|(queue, types)| queue.len(*types)).sum();
    let answer = control.ask(&GetStats(queues), room)?;
    entries(&answer, |entry| {
        let asked = queues
            .iter()
            .find(|(queue, _)| queue.number() == entry.virtqueue);
        if let Some(&(queue, _)) = asked {
            take(queue, &entry);
        }
    })
}
