// SPDX-License-Identifier: GPL-2.0

//! The callbacks of the network stack, and how they reach a [`Driver`].

use crate::{
    bindings,
    device::Context,
    queues::{
        RxPoll,
        TxGuard,
        TxPoll,
        TxQueue, //
    },
    rtnl,
    stats::LinkStats,
    Device,
    Driver,
    DropReason,
    Exclusive,
    Napi,
    SkBuff, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    sync::rcu, //
};

/// `NETDEV_TX_OK`: the driver has taken the packet.
const TX_OK: bindings::netdev_tx_t = bindings::netdev_tx_NETDEV_TX_OK;

/// `NETDEV_TX_BUSY`: the packet stays with the stack, which tries again.
const TX_BUSY: bindings::netdev_tx_t = bindings::netdev_tx_NETDEV_TX_BUSY;

/// The callbacks for the driver `T`.
///
/// # Safety of the callbacks
///
/// The stack calls those in [`Ops::NET_DEVICE_OPS`] only for a registered device, to which they
/// belong. So its private area is a [`Context`]. The rtnl lock, which it holds where it opens or
/// stops a device, serialises these calls.
pub(crate) struct Ops<T: Driver>(PhantomData<T>);

impl<T: Driver> Ops<T> {
    /// What each driver has.
    pub(crate) const NET_DEVICE_OPS: bindings::net_device_ops = bindings::net_device_ops {
        ndo_open: Some(Self::open),
        ndo_stop: Some(Self::stop),
        ndo_start_xmit: Some(Self::start_xmit),
        ndo_validate_addr: Some(bindings::eth_validate_addr),
        ndo_get_stats64: Some(Self::get_stats64),
        ..pin_init::zeroed()
    };

    /// All that the driver has.
    pub(crate) const ALL: &'static bindings::net_device_ops = &T::OPERATIONS.netdev;

    /// `ndo_open`.
    ///
    /// # Safety
    ///
    /// As for all callbacks of a device, see [`Ops`].
    unsafe extern "C" fn open(dev: *mut bindings::net_device) -> c_int {
        // SAFETY: See the type.
        let device = unsafe { Device::<T>::from_raw(dev) };
        // SAFETY: The lock is held, as long as this function takes.
        let rtnl = unsafe { rtnl::Held::assume() };
        if device.context().frozen.get(&rtnl) {
            return ENODEV.to_errno();
        }
        // SAFETY: The stack opens what is stopped. It is not frozen.
        unsafe { Self::start_polling(device, &rtnl) };
        T::opened(device);
        0
    }

    /// Has the receive queues filled, and the contexts enabled.
    ///
    /// # Safety
    ///
    /// The contexts are disabled, and the device is not frozen.
    pub(crate) unsafe fn start_polling(device: &Device<T>, rtnl: &rtnl::Held) {
        let context = device.context();

        // Also of those that are not used: the device may deliver to any that there is.
        for slot in &context.rx {
            let owner = Exclusive {
                napi: &slot.napi,
                gfp: bindings::GFP_KERNEL,
            };
            // SAFETY: The context is disabled, and the rtnl lock is held.
            T::open_rx(device, unsafe { slot.state() }, slot.stats(), &owner);
        }
        for slot in &context.rx {
            // SAFETY: As above.
            T::start_rx(unsafe { slot.state() }, slot.stats());
        }
        for (kind, napi) in Self::contexts(context) {
            // SAFETY: The device is registered, and the context belongs to it and is disabled.
            unsafe { napi.enable(kind) };
        }
        context.polled.set(true, rtnl);
    }

    /// `ndo_stop`.
    ///
    /// # Safety
    ///
    /// See [`Ops`].
    unsafe extern "C" fn stop(dev: *mut bindings::net_device) -> c_int {
        // SAFETY: See the type.
        let device = unsafe { Device::<T>::from_raw(dev) };
        // SAFETY: The lock is held, as long as this function takes.
        let rtnl = unsafe { rtnl::Held::assume() };
        if device.context().polled.get(&rtnl) {
            // SAFETY: The contexts are enabled.
            unsafe { Self::stop_polling(device, &rtnl) };
            T::stopped(device);
        }
        0
    }

    /// Has the contexts disabled.
    ///
    /// # Safety
    ///
    /// The contexts are enabled.
    pub(crate) unsafe fn stop_polling(device: &Device<T>, rtnl: &rtnl::Held) {
        device.context().polled.set(false, rtnl);
        for (kind, napi) in Self::contexts(device.context()) {
            // SAFETY: The device is registered, and the context belongs to it and is enabled.
            unsafe { napi.disable(kind) };
        }
        for dim in device.context().rx.iter().flat_map(|slot| &slot.dim) {
            // SAFETY: The contexts have just been disabled.
            unsafe { dim.settle() };
        }
    }

    /// The NAPI contexts of all queues, with the kind of the queue.
    fn contexts(
        context: &Context<T>,
    ) -> impl Iterator<Item = (bindings::netdev_queue_type, &Napi)> {
        let rx = context.rx.iter().map(|slot| {
            (
                bindings::netdev_queue_type_NETDEV_QUEUE_TYPE_RX,
                &*slot.napi,
            )
        });
        let tx = context.tx.iter().map(|slot| {
            (
                bindings::netdev_queue_type_NETDEV_QUEUE_TYPE_TX,
                &*slot.napi,
            )
        });
        Iterator::chain(rx, tx)
    }

    /// `ndo_start_xmit`.
    ///
    /// # Safety
    ///
    /// See [`Ops`]. `raw` is a packet whose reference passes to the callee, unless that is busy, and
    /// the lock of its queue is held.
    unsafe extern "C" fn start_xmit(
        raw: *mut bindings::sk_buff,
        dev: *mut bindings::net_device,
    ) -> bindings::netdev_tx_t {
        // SAFETY: See the type.
        let device = unsafe { Device::<T>::from_raw(dev) };
        // SAFETY: The stack passes a valid packet.
        let index = unsafe { (*raw).queue_mapping };
        let slot = device.context().tx.get(usize::from(index));
        if slot.is_some_and(|slot| slot.is_paused() || !slot.is_locked_here()) {
            return Self::busy(device);
        }
        // SAFETY: The packet is valid, and its reference passes on with any other answer.
        let skb = unsafe { SkBuff::from_raw(NonNull::new_unchecked(raw)) };
        if let Some(slot) = slot {
            // SAFETY: The stack sends with the lock of a queue, since the device does not say `lltx`, and it
            // is the lock of this one. The queue is not paused.
            let access = unsafe { slot.access(0) };
            T::start_xmit(device, access, skb, TxQueue::xmit_more());
        } else {
            skb.drop_with(DropReason::NotSpecified);
        }
        TX_OK
    }

    /// Has the stack keep a packet.
    ///
    /// If that is since it is for another queue than the one whose lock is held, as a filter may say
    /// (`skbedit queue_mapping`) of a packet in the middle of others, the stack tries it again with the right
    /// lock; but those before it wait for being told to the device.
    #[cold]
    fn busy(device: &Device<T>) -> bindings::netdev_tx_t {
        // SAFETY: The function has no requirements.
        if unsafe { bindings::irqs_disabled() } {
            // Netpoll, which sends single packets. It may have interrupted whoever has a queue.
            return TX_BUSY;
        }
        for slot in &device.context().tx {
            if slot.is_locked_here() && !slot.is_paused() {
                // SAFETY: The lock is held, and it is the caller who holds it: nothing that sends calls
                // another that does with a lock held, but for netpoll. The queue is not paused.
                T::flush_tx(unsafe { slot.access(0) });
            }
        }
        TX_BUSY
    }

    /// `ndo_get_stats64`.
    ///
    /// # Safety
    ///
    /// See [`Ops`]. `stats` is valid for reads and writes.
    unsafe extern "C" fn get_stats64(
        dev: *mut bindings::net_device,
        stats: *mut bindings::rtnl_link_stats64,
    ) {
        // SAFETY: See the type. The stack passes zeroed statistics of its own.
        let (device, stats) = unsafe { (Device::<T>::from_raw(dev), LinkStats::from_raw(stats)) };
        for rx in device.rx_stats() {
            stats.add_rx(&T::rx_totals(rx));
        }
        for tx in device.tx_stats() {
            stats.add_tx(&T::tx_totals(tx));
        }
    }

    /// The poll function of the receive queues.
    ///
    /// # Safety
    ///
    /// `napi` is a context of a registered device of `T`, and is being polled.
    pub(crate) unsafe extern "C" fn poll_rx(
        napi: *mut bindings::napi_struct,
        budget: c_int,
    ) -> c_int {
        // SAFETY: NAPI polls only what has been enabled: a context of a registered device of `T`.
        let (napi, device) = unsafe {
            let napi = Napi::from_raw(napi);
            (napi, Device::<T>::from_raw(napi.dev()))
        };
        let Some(slot) = device.context().rx.get(usize::from(napi.index())) else {
            return 0;
        };
        // With a budget of 0 netpoll wants what has been sent cleaned up, which the transmit queue's
        // context does. It may be in interrupt context and does not own this context, so the driver
        // must not get the queue.
        if budget <= 0 {
            return 0;
        }
        let _section = rcu::read_lock();
        // SAFETY: This is the poll function, and the only value.
        T::poll_rx(device, unsafe { RxPoll::new(device, slot, budget) }).received()
    }

    /// The poll function of the transmit queues.
    ///
    /// # Safety
    ///
    /// `napi` is a context of a registered device of `T`, and is being polled.
    pub(crate) unsafe extern "C" fn poll_tx(
        napi: *mut bindings::napi_struct,
        budget: c_int,
    ) -> c_int {
        // SAFETY: As for `poll_rx`.
        let (napi, device) = unsafe {
            let napi = Napi::from_raw(napi);
            (napi, Device::<T>::from_raw(napi.dev()))
        };
        let Some(slot) = device.context().tx.get(usize::from(napi.index())) else {
            return 0;
        };
        // Netpoll wants what has been sent cleaned up, and does not own this context. It may have
        // interrupted whoever holds the lock.
        if budget <= 0 {
            // SAFETY: The budget is 0.
            if let Some(mut guard) = unsafe { TxGuard::try_lock(slot, 0) } {
                T::reclaim_tx(guard.access());
            }
            return 0;
        }
        let _section = rcu::read_lock();
        // SAFETY: This is the poll function, and its caller owns the context.
        T::poll_tx(device, unsafe { TxPoll::new(slot, budget) }).received()
    }
}
