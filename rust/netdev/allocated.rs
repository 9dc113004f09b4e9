// SPDX-License-Identifier: GPL-2.0

//! The states of a network device before it is registered, and its registration.

use crate::{
    bindings,
    cpu,
    device::Context,
    devlink,
    dim::{
        self,
        Dim, //
    },
    ethtool::EthtoolOps,
    failover::Failover,
    napi::Direction,
    ops::Ops,
    queue::{
        RxSlot,
        TxSlot, //
    },
    rss::RssSizes,
    rtnl,
    service::Service,
    stats::QueueStatOps,
    xdp,
    xsk,
    Device,
    Driver,
    Features,
    Locked,
    Napi,
    PagePool,
    XdpFeatures, //
};
use core::{
    marker::PhantomData,
    mem::{
        align_of,
        size_of, //
    },
    ops::Deref,
    ptr::{
        null_mut,
        NonNull, //
    },
    sync::atomic::AtomicU16,
};
use dma::{
    fault,
    Attached,
    DmaDevice, //
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::Arc, //
};

/// How the private area of a network device is aligned (`NETDEV_ALIGN`).
const PRIVATE_ALIGN: usize = 32;

/// A network device that has been allocated, with a NAPI context for each queue. It is not
/// registered, unless there is a [`Registration`] of it.
///
/// # Invariants
///
/// `dev` is an Ethernet device that has room for a `Context<T>`. It is not registered, and that is not
/// initialised, unless this belongs to a [`Registration`].
pub struct Allocated<T: Driver> {
    dev: NonNull<bindings::net_device>,
    /// Of each pair that of the receive queue and then that of the transmit queue.
    napis: KVec<Arc<Napi>>,
    parent: Option<Attached>,
    rss: RssSizes,
    pub(crate) failover: Option<Failover>,
    driver: PhantomData<T>,
}

// SAFETY: The device is owned, and not tied to a thread.
unsafe impl<T: Driver> Send for Allocated<T> {}

impl<T: Driver> Allocated<T> {
    /// An Ethernet device with `pairs` receive and transmit queues, on top of the device `parent`.
    ///
    /// Process context. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(parent: impl Into<Attached>, pairs: u16) -> Result<Self> {
        Self::with_parent(Some(parent.into()), pairs)
    }

    /// As [`new`](Self::new), but a device that is on top of no other: one in software.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn without_parent(pairs: u16) -> Result<Self> {
        Self::with_parent(None, pairs)
    }

    fn with_parent(parent: Option<Attached>, pairs: u16) -> Result<Self> {
        const { assert!(align_of::<Context<T>>() <= PRIVATE_ALIGN) };

        fault::point("network device")?;
        // SAFETY: The sizes are in range.
        let dev = unsafe {
            bindings::alloc_etherdev_mqs(
                size_of::<Context<T>>() as c_int,
                pairs.into(),
                pairs.into(),
            )
        };
        // INVARIANT: It has just been allocated.
        let mut this = Self {
            dev: NonNull::new(dev).ok_or(ENOMEM)?,
            napis: KVec::new(),
            parent,
            rss: RssSizes::default(),
            failover: None,
            driver: PhantomData,
        };
        // SAFETY: The device is valid and nobody else knows it.
        unsafe {
            (*dev).netdev_ops = Ops::<T>::ALL;
            (*dev).ethtool_ops = EthtoolOps::<T>::ALL;
            (*dev).stat_ops = QueueStatOps::<T>::OPS;
            bindings::netdev_allow_live_addr_change(dev);
            bindings::netdev_filters_unicast(dev);
            bindings::netdev_sends_without_linear(dev);
            (*dev).dev.parent = this.parent.as_ref().map_or(null_mut(), Attached::as_raw);
        }
        // Room first: a context that exists must be in the list that `Drop` goes through.
        this.napis.reserve(2 * usize::from(pairs), GFP_KERNEL)?;
        for index in 0..pairs {
            // SAFETY: `Drop` deletes the contexts before it frees the device, which has `pairs` queues of
            // either direction.
            unsafe {
                let rx = Napi::new(this.dev, index, Direction::Receive, Ops::<T>::poll_rx)?;
                this.napis.push(rx, GFP_KERNEL)?;
                let tx = Napi::new(this.dev, index, Direction::Transmit, Ops::<T>::poll_tx)?;
                this.napis.push(tx, GFP_KERNEL)?;
            }
        }
        Ok(this)
    }

    pub(crate) fn as_raw(&self) -> *mut bindings::net_device {
        self.dev.as_ptr()
    }

    /// The device, of which nobody else changes anything yet.
    pub(crate) fn fields(&mut self) -> &mut bindings::net_device {
        // SAFETY: The device is valid and not registered: of one that is, no `&mut` is handed out.
        unsafe { self.dev.as_mut() }
    }

    /// How many queues of either direction there are.
    pub fn max_queues(&self) -> u16 {
        // CAST: There are as many as a number of this type said.
        (self.napis.len() / 2) as u16
    }

    /// The NAPI context of the receive queue `index`.
    pub fn rx_napi(&self, index: u16) -> Option<&Arc<Napi>> {
        self.napis.get(2 * usize::from(index))
    }

    /// The NAPI context of the transmit queue `index`.
    pub fn tx_napi(&self, index: u16) -> Option<&Arc<Napi>> {
        self.napis.get(2 * usize::from(index) + 1)
    }

    /// Sets how many packets a poll of a receive queue takes at most: 64, unless this is called.
    ///
    /// # Errors
    ///
    /// `EINVAL` unless `weight` is positive.
    pub fn set_napi_weight(&mut self, weight: c_int) -> Result {
        if weight <= 0 {
            return Err(EINVAL);
        }
        for napi in self.napis.iter().step_by(2) {
            // SAFETY: The contexts belong to the device and are disabled, so nothing reads the
            // field.
            unsafe { (*napi.as_raw()).weight = weight };
        }
        Ok(())
    }

    /// Says by which interrupts the queues of the pair `index` are served, so that whoever asks for the NAPI
    /// context of a queue is told. None if that is not known, or if there is none.
    ///
    /// Process context, without the lock of the device, which is taken. May sleep. C function: `netif_napi_set_irq()`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no pair `index`.
    pub fn set_irqs(&self, index: u16, rx: Option<c_int>, tx: Option<c_int>) -> Result {
        let napis = [self.rx_napi(index), self.tx_napi(index)];
        for (napi, irq) in napis.into_iter().zip([rx, tx]) {
            let number = irq.unwrap_or(-1);
            // SAFETY: The context belongs to the device, which is valid. The device has no map of
            // interrupts, nor does it leave their affinity to the stack, so the number is just kept.
            unsafe { bindings::netif_napi_set_irq(napi.ok_or(EINVAL)?.as_raw(), number) };
        }
        Ok(())
    }

    /// A pool of receive buffers, of `size` pages at rest, for a queue that `device` does DMA for and that is polled by the
    /// receive queue `index`.
    ///
    /// Process context. May sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no queue `index`; `ENOMEM`, `E2BIG`.
    pub fn page_pool(&self, index: u16, size: u32, device: DmaDevice<'_>) -> Result<PagePool> {
        let napi = self.rx_napi(index).ok_or(EINVAL)?.clone();
        // SAFETY: The device has not been unregistered: a registration that does so is being dropped,
        // and this borrows from it. `Drop` looks for pools.
        unsafe { PagePool::new(size, device, napi) }
    }

    /// Sets the MAC address; a random one if there is none, or if it is not one that a station can
    /// have.
    ///
    /// Returns whether it is the one that was asked for.
    pub fn set_mac(&mut self, address: Option<[u8; 6]>) -> bool {
        // SAFETY: The device is valid, and the address has the length of one.
        unsafe {
            match address {
                Some(address) if bindings::is_valid_ether_addr(address.as_ptr()) => {
                    bindings::eth_hw_addr_set(self.as_raw(), address.as_ptr());
                    true
                }
                _ => {
                    bindings::eth_hw_addr_random(self.as_raw());
                    false
                }
            }
        }
    }

    /// Sets the MTU, in bytes, and the range in which it can be changed.
    pub fn set_mtu(&mut self, mtu: u32, min: u32, max: u32) {
        let dev = self.fields();
        dev.mtu = mtu;
        dev.min_mtu = min;
        dev.max_mtu = max;
    }

    /// Sets how many of the queues of either direction the stack uses: from 1 to all of them.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there are not so many queues, or if it is 0.
    pub fn set_num_queues(&mut self, pairs: u16) -> Result {
        // SAFETY: The device is valid and not registered.
        to_result(unsafe {
            bindings::netif_set_real_num_queues(self.as_raw(), pairs.into(), pairs.into())
        })
    }

    /// Sets the room that packets to be sent should have in front, in bytes.
    pub fn set_needed_headroom(&mut self, bytes: u16) {
        self.fields().needed_headroom = bytes;
    }

    /// Sets the features that are on, those that can be turned on and off, and those that the device
    /// has for what is in a tunnel.
    pub fn set_features(&mut self, on: Features, changeable: Features, encapsulated: Features) {
        let dev = self.fields();
        dev.hw_features |= changeable.bits();
        dev.hw_enc_features |= encapsulated.bits();
        dev.features |= on.bits();
        dev.vlan_features = on.bits();
    }

    /// Sets what the device can do for XDP: nothing, unless this is called.
    pub fn set_xdp_features(&mut self, features: XdpFeatures) {
        self.fields().xdp_features = features.bits();
    }

    /// Sets how many chunks of AF_XDP a packet may have if user space takes such: one, unless this is called.
    pub fn set_xsk_chunks(&mut self, chunks: u32) {
        self.fields().xdp_zc_max_segs = chunks;
    }

    /// Sets how much of receive side scaling can be set: nothing, unless this is called.
    pub fn set_rss_sizes(&mut self, sizes: RssSizes) {
        self.rss = sizes;
    }

    /// Registers the device, with what the driver keeps for it and for its queues.
    ///
    /// `started` is called when the device is registered. Nobody else can have opened it, since the
    /// rtnl lock is held, but who is told of each new device may have. [`Serviced::service`](crate::Serviced::service) is called from
    /// then on only, so what it was [asked for](Device::schedule_service) before has to be asked for again.
    ///
    /// Process context. May sleep. Takes the rtnl lock.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is not one state for each queue; `ENOSPC` if CPU hotplug has no room for
    /// another module; what `register_netdevice()` says. All is dropped.
    pub fn register(
        self,
        shared: T::Shared,
        pairs: KVec<(T::Rx, T::Tx)>,
        started: impl FnOnce(&Locked<'_, T>, &rtnl::Held),
    ) -> Result<Registration<T>> {
        if pairs.len() != usize::from(self.max_queues()) {
            return Err(EINVAL);
        }
        let dev = self.as_raw();
        let mut rx_slots = KVec::with_capacity(pairs.len(), GFP_KERNEL)?;
        let mut tx_slots = KVec::with_capacity(pairs.len(), GFP_KERNEL)?;
        for (napis, (rx, tx)) in self.napis.chunks_exact(2).zip(pairs) {
            let [rx_napi, tx_napi] = napis else {
                return Err(EINVAL);
            };
            // SAFETY: The slots are dropped before the device is freed, which has a queue for each context.
            let (dim, queue) = unsafe {
                (
                    Dim::new(dev, rx_napi.index())?,
                    bindings::netdev_get_tx_queue(dev, tx_napi.index().into()),
                )
            };
            rx_slots.push(RxSlot::new(rx_napi.clone(), dim, rx), GFP_KERNEL)?;
            let queue = NonNull::new(queue).ok_or(EINVAL)?;
            tx_slots.push(TxSlot::new(tx_napi.clone(), queue, tx), GFP_KERNEL)?;
        }
        let pools = xsk::Bindings::new(self.max_queues())?;
        let devlink = match (T::OPERATIONS.devlink, &self.parent) {
            // SAFETY: The device is one of `T`. What is returned is part of its context, and is unregistered before that is; the
            // parent is held for longer.
            (Some(new), Some(parent)) => Some(unsafe { new(parent, dev) }?),
            _ => None,
        };
        let devlink = devlink::Slot::new(devlink)?;
        fault::point("registration")?;

        // SAFETY: The private area has the room and the alignment, and is not initialised. The work
        // gets an address that does not change. Whoever is called by a registered device finds the
        // area initialised.
        unsafe {
            let context = Context::<T>::of(dev);
            context.write(Context {
                shared,
                rx: rx_slots,
                tx: tx_slots,
                service: Service::new(),
                program: xdp::Slot::new(),
                frame_queues: AtomicU16::new(0),
                pools,
                rss: self.rss,
                cpus: cpu::Instance::new(T::OPERATIONS.cpus_changed, dev.cast()),
                devlink,
                device_counters: Default::default(),
                dev,
            });
            Service::init::<T>(core::ptr::addr_of!((*context).service));

            // The carrier is off until the driver says otherwise. Nobody has to be told of that.
            bindings::netif_carrier_off(dev);
            let guard = rtnl::lock();
            let cpus = &(*context).cpus;
            let registered = cpus.add(&guard).and_then(|()| {
                to_result(bindings::register_netdevice(dev)).inspect_err(|_| cpus.remove(&guard))
            });
            if let Err(error) = registered {
                drop(guard);
                context.drop_in_place();
                return Err(error);
            }
            // Not before: of a device that is refused, perhaps after it was opened, nothing may be left to do.
            (*context).service.enable();
            started(&Device::from_raw(dev).lock(&guard), &guard);
            // Its lock comes before that.
            drop(guard);
            (*context).devlink.register();
        }
        // INVARIANT: It has just been registered.
        Ok(Registration { allocated: self })
    }
}

impl<T: Driver> Drop for Allocated<T> {
    fn drop(&mut self) {
        self.failover = None;
        // SAFETY: The device is not registered, or not any more; so its contexts are disabled. One grace
        // period is enough for all of them; they are in the list until this function has returned.
        unsafe {
            for napi in &self.napis {
                napi.delete();
            }
            bindings::synchronize_net();
            dim::finish(self.as_raw());
            if bindings::netdev_has_page_pools(self.as_raw()) {
                // They are in a list that begins in the device. Of one that has been registered the stack has taken them.
                pr_warn!("a network device that was never registered is left behind, as page_pools of it are\n");
                return;
            }
            bindings::free_netdev(self.as_raw());
        }
    }
}

/// A registered network device. Dropping it unregisters the device: process context, takes the rtnl
/// lock, may sleep.
///
/// Packets that are still in a queue are dropped then.
///
/// # Invariants
///
/// The device is registered, and its context is initialised.
pub struct Registration<T: Driver> {
    allocated: Allocated<T>,
}

// SAFETY: The device may be used by any thread.
unsafe impl<T: Driver> Send for Registration<T> {}
// SAFETY: As above; it gives access to a `Device`, which is `Sync`.
unsafe impl<T: Driver> Sync for Registration<T> {}

impl<T: Driver> Registration<T> {
    /// What the device was registered from: what new queues are made with, see [`Device::thaw`].
    pub fn allocated(&self) -> &Allocated<T> {
        &self.allocated
    }
}

impl<T: Driver> Deref for Registration<T> {
    type Target = Device<T>;

    fn deref(&self) -> &Device<T> {
        // SAFETY: By the type invariant.
        unsafe { Device::from_raw(self.allocated.as_raw()) }
    }
}

impl<T: Driver> Drop for Registration<T> {
    fn drop(&mut self) {
        let dev = self.allocated.as_raw();
        // SAFETY: By the type invariant. The work is disabled first, since it may use the
        // registered device. After the device is unregistered no callback is called and none is
        // running.
        unsafe {
            let context = Context::<T>::of(dev);
            (*context).service.disable();
            (*context).devlink.unregister();
            (*context).cpus.remove(&rtnl::lock());
            bindings::unregister_netdev(dev);
            // The queues release what is lent; the byte queue limits forget it.
            for slot in &(*context).tx {
                bindings::netdev_tx_reset_queue(slot.queue.as_ptr());
            }
            context.drop_in_place();
        }
    }
}
