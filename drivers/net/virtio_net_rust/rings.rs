// SPDX-License-Identifier: GPL-2.0

//! The sizes of the rings, and changing them while the interface is up.
//!
//! `Virtqueue::resize` waits for a grace period first, since an `Armed` may still look at the old ring. What the
//! device had is released as it is when a queue is dropped. Packets to be sent count as `tx_dropped`, and the byte
//! queue limits forget them. If there is no memory the queue goes on with its old size. If the device does not take
//! the queue back, it is marked as broken: it takes no buffer, and the log says so. `ethtool -G` stops at the first
//! queue that fails, and changes only those that differ when it is called again.
//!
//! A size that cannot work is refused before anything is touched. A receive ring must hold the longest packet that
//! the device may spread over it. That alone is not enough: with a short ring, buffers are lent again before the
//! longest packet would not fit into what is lent, since a device that waits for more raises no interrupt
//! (`Ring::slack`). The C driver takes any size from 1, and is stuck with some.

use crate::{
    coalesce,
    rx,
    tx,
    VirtioNet, //
};
use core::sync::atomic::{
    AtomicU32,
    Ordering::Relaxed, //
};
use kernel::{
    net::{
        self,
        Device,
        Locked,
        RingSizes, //
    },
    prelude::*,
    virtio::{
        queue::Resized,
        Feature, //
    },
};

impl net::Rings for VirtioNet {
    fn ring_sizes(device: &Device<Self>) -> RingSizes {
        device.shared().rings.sizes()
    }

    fn max_ring_sizes(device: &Device<Self>) -> RingSizes {
        device.shared().rings.max()
    }

    fn set_ring_sizes(device: &Locked<'_, Self>, sizes: RingSizes) -> Result {
        set(device, sizes)
    }
}

/// The sizes of all rings, for those who do not have the queues. Changed with the device locked.
pub(crate) struct Rings {
    pairs: KVec<Pair>,
    max: RingSizes,
    min: RingSizes,
}

/// The sizes of the rings of a pair of queues.
struct Pair {
    rx: AtomicU32,
    tx: AtomicU32,
}

impl Rings {
    /// The sizes of these queues' rings.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there are none; `ENOMEM`.
    pub(crate) fn of(queues: &[(rx::Queue, tx::Queue)]) -> Result<Self> {
        let (first_rx, first_tx) = queues.first().ok_or(EINVAL)?;
        let mut pairs = KVec::with_capacity(queues.len(), GFP_KERNEL)?;
        for (rx, tx) in queues {
            let pair = Pair {
                rx: AtomicU32::new(rx.size()),
                tx: AtomicU32::new(tx.size()),
            };
            pairs.push(pair, GFP_KERNEL)?;
        }
        Ok(Self {
            pairs,
            max: RingSizes {
                rx: first_rx.max_size(),
                tx: first_tx.max_size(),
            },
            min: RingSizes {
                rx: first_rx.min_size(),
                tx: tx::MIN_SIZE,
            },
        })
    }

    /// Takes the sizes of other queues' rings, as many as before.
    pub(crate) fn renew(&self, queues: &[(rx::Queue, tx::Queue)]) {
        for (pair, (rx, tx)) in self.pairs.iter().zip(queues) {
            pair.rx.store(rx.size(), Relaxed);
            pair.tx.store(tx.size(), Relaxed);
        }
    }

    /// The sizes of the first rings, which are those of all unless a change has failed.
    pub(crate) fn sizes(&self) -> RingSizes {
        self.pairs
            .first()
            .map_or(RingSizes { rx: 0, tx: 0 }, |pair| RingSizes {
                rx: pair.rx.load(Relaxed),
                tx: pair.tx.load(Relaxed),
            })
    }

    /// The largest sizes.
    pub(crate) fn max(&self) -> RingSizes {
        self.max
    }
}

/// Changes the sizes of all rings. What is in them is lost; packets to be sent count as dropped.
///
/// C function: `virtnet_set_ringparam()`.
///
/// # Errors
///
/// - `EINVAL`, after a line in the log, if a ring of that size is not possible, or could not hold
///   the longest packet: C takes such sizes for receive queues, which are stuck then.
/// - `ENOENT` if the device cannot reset a queue.
/// - What [`coalesce::restore_tx`] says. The queue has its size, and the others keep theirs.
/// - `ENOMEM` or what the device's transport says, after a line in the log about the first queue
///   that failed. Those before it have been changed.
pub(crate) fn set(device: &Locked<'_, VirtioNet>, wanted: RingSizes) -> Result {
    let rings = &device.shared().rings;
    let mut pairs = rings.pairs.iter();
    if pairs.clone().any(|pair| pair.tx.load(Relaxed) != wanted.tx) {
        check(device, "transmit", wanted.tx, rings.min.tx)?;
    }
    if pairs.any(|pair| pair.rx.load(Relaxed) != wanted.rx) {
        check(device, "receive", wanted.rx, rings.min.rx)?;
    }
    for (index, Pair { rx, tx }) in (0..).zip(&rings.pairs) {
        if tx.load(Relaxed) != wanted.tx {
            resize_tx(device, index, tx, wanted.tx)?;
            coalesce::restore_tx(device, index)?;
        }
        if rx.load(Relaxed) != wanted.rx {
            resize_rx(device, index, rx, wanted.rx)?;
            coalesce::restore_rx(device, index)?;
        }
    }
    Ok(())
}

/// Checks what can be known before a queue is reset.
fn check(device: &Device<VirtioNet>, kind: &str, wanted: u32, min: u32) -> Result {
    let virtio = &device.shared().device;
    if wanted < min {
        dev_warn!(
            virtio,
            "a {kind} queue of {} needs {min} descriptors or more, not {wanted}\n",
            device.name()
        );
        return Err(EINVAL);
    }
    if !virtio.has(Feature::RING_RESET) {
        return Err(ENOENT);
    }
    if !virtio.has(Feature::RING_PACKED) && !wanted.is_power_of_two() {
        dev_warn!(
            virtio,
            "the size of a {kind} queue of {} must be a power of two, not {wanted}\n",
            device.name()
        );
        return Err(EINVAL);
    }
    Ok(())
}

/// C function: `virtnet_tx_resize()`.
fn resize_tx(device: &Locked<'_, VirtioNet>, index: u16, size: &AtomicU32, wanted: u32) -> Result {
    let resized = device.pause_tx(index, tx::reclaim, |mut paused| {
        paused.stats.stop.add(1);
        let resized = paused.state.resize(wanted);
        if let Some(released) = resized.released {
            paused.stats.drops.add(released.into());
            paused.forget_sent();
        }
        size.store(paused.state.size(), Relaxed);
        resized
    })?;
    report(device, "transmit", index, (size, wanted), resized)
}

/// C function: `virtnet_rx_resize()`.
fn resize_rx(device: &Locked<'_, VirtioNet>, index: u16, size: &AtomicU32, wanted: u32) -> Result {
    let resized = device.pause_rx(index, |paused| {
        let resized = paused.state.resize(wanted);
        size.store(paused.state.size(), Relaxed);
        if paused.polled {
            paused.state.fill(device, paused.stats, &paused.owner);
            paused.state.notify(paused.stats);
        }
        resized
    })?;
    report(device, "receive", index, (size, wanted), resized)
}

/// Says in the log what has failed.
fn report(
    device: &Device<VirtioNet>,
    kind: &str,
    index: u16,
    (size, wanted): (&AtomicU32, u32),
    resized: Resized,
) -> Result {
    resized.result.inspect_err(|error| {
        let (virtio, name) = (&device.shared().device, device.name());
        if resized.broken {
            dev_err!(
                virtio,
                "{kind} queue {index} of {name} is broken, no resize to {wanted}: {error:?}\n"
            );
        } else {
            dev_err!(
                virtio,
                "{kind} queue {index} of {name} keeps its size of {}, no resize to {wanted}: {error:?}\n",
                size.load(Relaxed)
            );
        }
    })
}
