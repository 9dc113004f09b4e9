// SPDX-License-Identifier: GPL-2.0

//! The registered network device.

use crate::{
    bindings,
    cpu,
    devlink,
    not_supported,
    queue::{
        Life,
        RxSlot,
        TxSlot, //
    },
    rss::RssSizes,
    rtnl,
    service::Service,
    stats::DeviceCounters,
    xdp,
    xsk,
    Driver,
    Features,
    Locked,
    Name, //
};
use core::{
    marker::PhantomData,
    sync::atomic::AtomicU16, //
};
use kernel::{
    cpumask::Cpumask,
    error::to_result,
    prelude::*,
    sync::SetOnce,
    types::Opaque, //
};

/// A network device of the driver `T`, registered.
///
/// # Invariants
///
/// It wraps a `struct net_device` whose private area is a `Context` of `T`.
#[repr(transparent)]
pub struct Device<T: Driver>(Opaque<bindings::net_device>, PhantomData<T>);

// SAFETY: All methods that take `&self` may be called from several threads at a time. What the
// context holds is `Send` and `Sync`, or is lent to one thread at a time.
unsafe impl<T: Driver> Sync for Device<T> {}

/// The private area of a network device.
pub(crate) struct Context<T: Driver> {
    pub(crate) shared: T::Shared,
    pub(crate) rx: KVec<RxSlot<T>>,
    pub(crate) tx: KVec<TxSlot<T>>,
    pub(crate) service: Service,
    pub(crate) program: xdp::Slot,
    /// See [`Device::frame_queues`].
    pub(crate) frame_queues: AtomicU16,
    pub(crate) pools: xsk::Bindings,
    pub(crate) rss: RssSizes,
    pub(crate) cpus: cpu::Instance,
    pub(crate) devlink: devlink::Slot,
    /// Populated while the lock of the device is held.
    pub(crate) device_counters: SetOnce<DeviceCounters>,
    pub(crate) dev: *mut bindings::net_device,
}

impl<T: Driver> Device<T> {
    /// # Safety
    ///
    /// `raw` is a network device whose private area is a `Context<T>`, for the lifetime `'a`.
    #[inline]
    pub(crate) unsafe fn from_raw<'a>(raw: *mut bindings::net_device) -> &'a Self {
        // SAFETY: By the requirement of this function; the type is transparent.
        unsafe { &*raw.cast() }
    }

    #[inline]
    pub(crate) fn as_raw(&self) -> *mut bindings::net_device {
        self.0.get()
    }

    #[inline]
    pub(crate) fn context(&self) -> &Context<T> {
        // SAFETY: By the type invariant.
        unsafe { &*Context::of(self.as_raw()) }
    }

    /// What the driver keeps for the device.
    #[inline]
    pub fn shared(&self) -> &T::Shared {
        &self.context().shared
    }

    /// The counters of the receive queues, also of those that are not used now.
    pub fn rx_stats(&self) -> impl Iterator<Item = &T::RxStats> {
        self.context().rx.iter().map(RxSlot::stats)
    }

    /// The counters of the transmit queues, also of those that are not used now.
    pub fn tx_stats(&self) -> impl Iterator<Item = &T::TxStats> {
        self.context().tx.iter().map(TxSlot::stats)
    }

    /// The name of the interface, as it is now. Any context.
    pub fn name(&self) -> Name {
        // SAFETY: By the type invariant.
        unsafe { Name::of(self.as_raw()) }
    }

    /// The MAC address, as it is now.
    pub fn mac(&self, _rtnl: &rtnl::Held) -> [u8; 6] {
        // SAFETY: By the type invariant. The address of an Ethernet device has six bytes, and
        // changes with the rtnl lock held only.
        unsafe { (*self.as_raw()).dev_addr.cast::<[u8; 6]>().read() }
    }

    /// Whether the MAC address has been made up here, as there was none that a station can have.
    pub fn has_random_mac(&self, _rtnl: &rtnl::Held) -> bool {
        // SAFETY: By the type invariant. The field changes with the rtnl lock held only.
        unsafe { (*self.as_raw()).addr_assign_type == bindings::NET_ADDR_RANDOM }
    }

    /// The MTU, as it is now, in bytes.
    #[inline]
    pub fn mtu(&self) -> u32 {
        // SAFETY: By the type invariant. The field may change at any time, as a whole.
        unsafe { core::ptr::addr_of!((*self.as_raw()).mtu).read_volatile() }
    }

    /// How many of the queues of either direction the stack uses. Any context; it changes only
    /// while both locks are held, the rtnl lock and that of the device.
    pub fn num_queues(&self) -> u16 {
        // SAFETY: By the type invariant. The field may change at any time, as a whole.
        let queues =
            unsafe { core::ptr::addr_of!((*self.as_raw()).real_num_tx_queues).read_volatile() };
        // CAST: The device was allocated with a number of queues of this type.
        queues as u16
    }

    /// How many queues of either direction there are.
    pub fn max_queues(&self) -> u16 {
        // CAST: As above.
        self.context().tx.len() as u16
    }

    /// Turns adaptive moderation of the receive queue `queue` on or off. Any context. Once it is off
    /// there may be one more call of [`AdaptiveRx::moderate_rx`](crate::AdaptiveRx::moderate_rx).
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no such queue; `EOPNOTSUPP` unless
    /// [`adapt_moderation`](crate::Allocated::adapt_moderation) has been called.
    pub fn set_adaptive_rx(&self, queue: u16, on: bool) -> Result {
        let slot = self.context().rx.get(usize::from(queue)).ok_or(EINVAL)?;
        slot.dim.as_ref().ok_or_else(not_supported)?.turn(on);
        Ok(())
    }

    /// What [`set_device_counters`](Locked::set_device_counters) has named.
    pub(crate) fn device_counters(&self) -> Option<&DeviceCounters> {
        self.context().device_counters.as_ref()
    }

    /// Has `cpus` send through the transmit queue `queue`, of any queues that other CPUs have not
    /// been given.
    ///
    /// Process context. May sleep. C function: `__netif_set_xps_queue()`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no such queue; `ENOMEM`.
    pub fn set_xps(&self, queue: u16, cpus: &Cpumask, _online: &cpu::Online) -> Result {
        if queue >= self.max_queues() {
            return Err(EINVAL);
        }
        // SAFETY: By the type invariant. The mask is valid, and no CPU comes or goes.
        to_result(unsafe { bindings::netif_set_xps_cpus(self.as_raw(), cpus.as_raw(), queue) })
    }

    /// The features that are on. Any context; they change only while the rtnl lock is held.
    pub fn features(&self) -> Features {
        // SAFETY: By the type invariant. The field may change at any time, as a whole.
        Features::from_bits(unsafe {
            core::ptr::addr_of!((*self.as_raw()).features).read_volatile()
        })
    }

    /// Says that the link is up. Any context.
    pub fn carrier_on(&self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::netif_carrier_on(self.as_raw()) }
    }

    /// Says that the link is down. Any context.
    pub fn carrier_off(&self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::netif_carrier_off(self.as_raw()) }
    }

    /// Tells the neighbours where the device is: sends gratuitous ARP and the like, if it is up.
    ///
    /// Process context. May sleep. Takes the rtnl lock.
    pub fn notify_peers(&self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::netdev_notify_peers(self.as_raw()) }
    }

    /// Has [`Serviced::service`](crate::Serviced::service) called soon, once for any number of calls until it starts. Any
    /// context.
    ///
    /// Does nothing before the registration has succeeded, once the device is going away, and while it is
    /// frozen.
    pub fn schedule_service(&self) {
        self.context().service.schedule();
    }

    /// As [`schedule_service`](Self::schedule_service), after so many milliseconds, unless it is going to
    /// be called before.
    pub fn schedule_service_in(&self, msecs: u32) {
        self.context().service.schedule_in(msecs);
    }
}

impl<T: Driver> Locked<'_, T> {
    /// Sets how many of the queues of either direction the stack uses.
    ///
    /// Once it uses fewer, nothing is sent through the others any more: what waits for them is
    /// dropped. It takes both locks. Process context. May sleep. C function: `netif_set_real_num_queues()`.
    ///
    /// A receive queue that is leased, and those before it, the stack goes on with: `ethtool -L` does not ask for fewer, but a device
    /// that has been reset may take fewer than before.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there are not so many queues, or if it is 0; `ENOMEM` if it is more than before.
    /// Nothing has changed then.
    pub fn set_num_queues(&self, pairs: u16, _rtnl: &rtnl::Held) -> Result {
        let pairs = c_uint::from(pairs);
        // SAFETY: By the type invariant of the device. Both locks are held.
        to_result(unsafe {
            let leased = bindings::netdev_leased_rx_queues(self.as_raw());
            bindings::netif_set_real_num_queues(self.as_raw(), pairs, pairs.max(leased))
        })
    }

    /// Names the counters that the device keeps and `ethtool -S` shows. Once; they stay the same
    /// afterwards, so that nobody sees the names of some and the values of others.
    ///
    /// # Errors
    ///
    /// `EBUSY` if they have been named before.
    pub fn set_device_counters(&self, counters: DeviceCounters) -> Result {
        match self.context().device_counters.populate(counters) {
            true => Ok(()),
            false => Err(EBUSY),
        }
    }

    /// Whether somebody has set the indirection table (`ethtool -X`). It changes only while the lock of
    /// the device is held.
    pub fn has_user_table(&self) -> bool {
        // SAFETY: By the type invariant of the device.
        unsafe { bindings::netif_is_rxfh_configured(self.as_raw()) }
    }
}

impl<T: Driver> Context<T> {
    /// Whether the queues have been taken away, see `Device::freeze`.
    pub(crate) fn is_gone(&self, device: &Locked<'_, T>) -> bool {
        let gone = |tx: &TxSlot<T>| tx.slot.life(device) == Life::Gone;
        self.tx.iter().any(gone)
    }

    /// The private area of `raw`.
    ///
    /// # Safety
    ///
    /// `raw` is valid and was allocated with a private area of this type.
    #[inline]
    pub(crate) unsafe fn of(raw: *mut bindings::net_device) -> *mut Self {
        // SAFETY: By the requirement of this function. The area follows the structure.
        unsafe { core::ptr::addr_of_mut!((*raw).priv_).cast() }
    }
}
