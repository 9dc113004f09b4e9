// SPDX-License-Identifier: GPL-2.0

//! What a network device should receive besides its own address and broadcasts.

use crate::{
    bindings,
    ops::Ops,
    rtnl,
    Device,
    Driver,
    Operations, //
};
use core::ptr::addr_of;
use kernel::{
    alloc::flags::*,
    container_of,
    error::from_result,
    prelude::*, //
};

/// The longest list of addresses that is passed on: 192 KiB. A longer one could not be mapped where
/// DMA goes through bounce buffers.
const MOST: usize = 0x8000;

/// How often a list is copied again because it has become longer meanwhile.
const ATTEMPTS: u32 = 8;

/// What a network device should receive besides its own address and broadcasts.
pub struct RxMode {
    /// The device's own address, which a device that has not been told needs to know too.
    pub own: [u8; 6],
    /// Everything (`IFF_PROMISC`).
    pub promiscuous: bool,
    /// All packets to groups (`IFF_ALLMULTI`).
    pub all_multicast: bool,
    /// These addresses of stations; `None` if they are too many, or if there is no memory for them.
    pub unicast: Option<KVec<[u8; 6]>>,
    /// These addresses of groups; `None` as above.
    pub multicast: Option<KVec<[u8; 6]>>,
}

impl<T: Driver> Device<T> {
    /// What the stack wants to receive now. Process context. May sleep.
    pub fn rx_mode(&self, rtnl: &rtnl::Held) -> RxMode {
        let dev = self.as_raw();
        // SAFETY: By the type invariant. The flags change with the rtnl lock held only.
        unsafe {
            let flags = (*dev).flags;
            RxMode {
                own: self.mac(rtnl),
                promiscuous: flags & bindings::net_device_flags_IFF_PROMISC != 0,
                all_multicast: flags & bindings::net_device_flags_IFF_ALLMULTI != 0,
                unicast: self.copy_addresses(addr_of!((*dev).uc)),
                multicast: self.copy_addresses(addr_of!((*dev).mc)),
            }
        }
    }

    /// # Safety
    ///
    /// `list` is a list of addresses of this device.
    unsafe fn copy_addresses(
        &self,
        list: *const bindings::netdev_hw_addr_list,
    ) -> Option<KVec<[u8; 6]>> {
        let mut copy = KVec::new();
        for _ in 0..ATTEMPTS {
            // SAFETY: By the requirement of this function. The field may change at any time, as a
            // whole.
            let count = unsafe { addr_of!((*list).count).read_volatile() };
            let count = usize::try_from(count).ok().filter(|it| *it <= MOST)?;
            copy.reserve(count, GFP_KERNEL | __GFP_NOWARN).ok()?;
            // SAFETY: By the type invariant, and by the requirement of this function. The lock that
            // guards the list is held while it is walked.
            let complete = unsafe {
                bindings::netif_addr_lock_bh(self.as_raw());
                let complete = copy_locked(list, &mut copy);
                bindings::netif_addr_unlock_bh(self.as_raw());
                complete
            };
            if complete {
                return Some(copy);
            }
            copy.clear();
        }
        None
    }
}

/// Copies a list of addresses, and says whether there was room for all of them. Does not allocate.
///
/// # Safety
///
/// `list` is valid, and does not change meanwhile.
unsafe fn copy_locked(
    list: *const bindings::netdev_hw_addr_list,
    copy: &mut KVec<[u8; 6]>,
) -> bool {
    // SAFETY: By the requirement of this function: all entries of the list are embedded in a
    // `struct netdev_hw_addr`. The addresses of an Ethernet device have six bytes.
    unsafe {
        let head = addr_of!((*list).list);
        let mut entry: *const bindings::list_head = (*head).next;
        while !core::ptr::eq(entry, head) {
            let address = container_of!(entry, bindings::netdev_hw_addr, list);
            let bytes = addr_of!((*address).addr).cast::<[u8; 6]>().read();
            if copy.push_within_capacity(bytes).is_err() {
                return false;
            }
            entry = (*entry).next;
        }
    }
    true
}

/// A driver whose device can be told what to receive.
pub trait SetRxMode: Driver {
    /// Has the device receive what the stack wants. Called when the interface is set up, and when
    /// something of it has changed while it is up.
    ///
    /// `ndo_set_rx_mode_async`: process context, rtnl held, may sleep.
    ///
    /// # Errors
    ///
    /// Any: the stack tries again, after one second first, four times in all.
    fn set_rx_mode(device: &Device<Self>, wanted: &RxMode) -> Result;
}

impl<T: SetRxMode> Operations<T> {
    /// The device can be told what to receive.
    pub const fn set_rx_mode(mut self) -> Self {
        self.netdev.ndo_set_rx_mode_async = Some(Ops::<T>::set_rx_mode);
        self
    }
}

impl<T: SetRxMode> Ops<T> {
    /// `ndo_set_rx_mode_async`. The lists that it gets are copies of those of the device.
    ///
    /// # Safety
    ///
    /// See [`Ops`]. The rtnl lock is held.
    unsafe extern "C" fn set_rx_mode(
        dev: *mut bindings::net_device,
        _unicast: *mut bindings::netdev_hw_addr_list,
        _multicast: *mut bindings::netdev_hw_addr_list,
    ) -> c_int {
        // SAFETY: See the type. The locks are held.
        let (device, rtnl) = unsafe { Self::locked(dev) };
        from_result(|| {
            let wanted = device.rx_mode(&rtnl);
            T::set_rx_mode(&device, &wanted)?;
            Ok(0)
        })
    }
}
