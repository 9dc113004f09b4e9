// SPDX-License-Identifier: GPL-2.0

//! The callbacks of the network stack, and how they reach a [`Driver`].

use crate::{
    bindings,
    queue::{
        Life,
        RxPoll,
        RxSlot,
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
    Locked,
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

    /// The device that a callback is for which configures it, and the proof that the rtnl lock is held too.
    ///
    /// # Safety
    ///
    /// See [`Ops`]. Both locks are held for the lifetime, which is that of the call.
    pub(crate) unsafe fn locked<'a>(dev: *mut bindings::net_device) -> (Locked<'a, T>, rtnl::Held) {
        // SAFETY: By the requirements of this function.
        unsafe { (Locked::assume(Device::from_raw(dev)), rtnl::Held::assume()) }
    }

    /// `ndo_open`.
    ///
    /// # Safety
    ///
    /// As for all callbacks of a device, see [`Ops`].
    unsafe extern "C" fn open(dev: *mut bindings::net_device) -> c_int {
        // SAFETY: See the type. The locks are held.
        let (device, _rtnl) = unsafe { Self::locked(dev) };
        if device.context().is_gone(&device) {
            return ENODEV.to_errno();
        }
        Self::start_polling(&device);
        T::opened(&device);
        0
    }

    /// Has the receive queues filled, and all queues that are stopped run.
    pub(crate) fn start_polling(device: &Locked<'_, T>) {
        let context = device.context();
        let stopped = || {
            let stopped = |rx: &&RxSlot<T>| rx.slot.life(device) == Life::Stopped;
            context.rx.iter().filter(stopped)
        };

        // Also of those that are not used: the device may deliver to any that there is.
        for rx in stopped() {
            let owner = Exclusive {
                napi: rx.napi(),
                gfp: bindings::GFP_KERNEL,
                has_program: context.program.is_some(),
            };
            // SAFETY: The context is disabled, and the lock of the device is held.
            if let Some(state) = unsafe { rx.slot.state() } {
                T::open_rx(device, state, rx.stats(), &owner);
            }
        }
        for rx in stopped() {
            // SAFETY: As above.
            if let Some(state) = unsafe { rx.slot.state() } {
                T::start_rx(state, rx.stats());
            }
        }
        // What is not stopped stays as it is. SAFETY: The device is registered.
        unsafe {
            for rx in &context.rx {
                let _ = rx.slot.start(device);
            }
            for tx in &context.tx {
                let _ = tx.slot.start(device);
            }
        }
    }

    /// `ndo_stop`.
    ///
    /// # Safety
    ///
    /// See [`Ops`].
    unsafe extern "C" fn stop(dev: *mut bindings::net_device) -> c_int {
        // SAFETY: See the type. The locks are held.
        let (device, _rtnl) = unsafe { Self::locked(dev) };
        if Self::stop_polling(&device) {
            T::stopped(&device);
        }
        0
    }

    /// Has all queues that run stopped. Returns whether there were any.
    pub(crate) fn stop_polling(device: &Locked<'_, T>) -> bool {
        let context = device.context();
        let mut any = false;
        // SAFETY: The device is registered.
        unsafe {
            for rx in &context.rx {
                any |= rx.slot.stop(device).is_ok();
            }
            for tx in &context.tx {
                any |= tx.slot.stop(device).is_ok();
            }
        }
        if any {
            for dim in context.rx.iter().filter_map(|rx| rx.dim.as_ref()) {
                // SAFETY: The contexts have just been disabled.
                unsafe { dim.cancel() };
            }
        }
        any
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
        let access = match device.context().tx.get(usize::from(index)) {
            None => None,
            Some(tx) if tx.is_locked_here() => {
                // SAFETY: The stack sends with the lock of a queue, since the device does not say `lltx`, and it
                // is the lock of this one.
                match unsafe { tx.access(0) } {
                    None => return Self::busy(device),
                    access => access,
                }
            }
            Some(_) => return Self::busy(device),
        };
        // SAFETY: The packet is valid, and its reference passes on with any other answer.
        let skb = unsafe { SkBuff::from_raw(NonNull::new_unchecked(raw)) };
        if let Some(access) = access {
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
        for tx in &device.context().tx {
            if !tx.is_locked_here() {
                continue;
            }
            // SAFETY: The lock is held, and it is the caller who holds it: nothing that sends calls
            // another that does with a lock held, but for netpoll.
            if let Some(access) = unsafe { tx.access(0) } {
                T::flush_tx(access);
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
        match unsafe { RxPoll::new(device, slot, budget) } {
            Some(poll) => T::poll_rx(device, poll).received(),
            None => Self::nothing(napi),
        }
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
        match unsafe { TxPoll::new(slot, budget) } {
            Some(poll) => T::poll_tx(device, poll).received(),
            None => Self::nothing(napi),
        }
    }

    /// Ends the poll function of a queue that has no state, which none is while its context is enabled.
    #[cold]
    pub(crate) fn nothing(napi: &Napi) -> c_int {
        // SAFETY: The poll function of the context is running.
        unsafe { bindings::napi_complete_done(napi.as_raw(), 0) };
        0
    }
}
