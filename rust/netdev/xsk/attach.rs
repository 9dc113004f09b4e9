// SPDX-License-Identifier: GPL-2.0

//! Binding pools to queues, and waking queues up.

use super::{
    binding::Binding,
    XskSetup, //
};
use crate::{
    bindings,
    ops::Ops,
    rtnl,
    Device,
    Locked,
    Operations,
    Xdp, //
};
use core::ptr::NonNull;
use kernel::prelude::*;

/// A driver that receives into pools of AF_XDP and sends from them, without a copy.
pub trait Xsk: Xdp {
    /// Has the pair of queues `queue` receive into a pool and send from it, which is [opened](XskSetup::open) for that. It has
    /// none yet.
    ///
    /// `ndo_bpf`, and when a device that has lost its queues has got them back ([`Locked::restore_pools`]): process
    /// context, rtnl and the lock of the device held, may sleep.
    ///
    /// # Errors
    ///
    /// All as it was, and what has been opened is gone. A socket that does not insist on this is served with copies.
    fn bind(
        device: &Locked<'_, Self>,
        queue: u16,
        setup: &mut XskSetup<'_>,
        rtnl: &rtnl::Held,
    ) -> Result;

    /// Has the pair of queues `queue` let go of its pool, if it has one. Afterwards nothing that was opened is left: the stack
    /// waits for it. As for [`bind`](Self::bind), but there is no way back.
    fn unbind(device: &Locked<'_, Self>, queue: u16, rtnl: &rtnl::Held);
}

/// Binds a pool to a queue, or takes it away if the pointer is null. Returns 0 or an error.
///
/// The pool stays until it is taken away.
pub(crate) type Setup<T> =
    unsafe fn(&Locked<'_, T>, *mut bindings::xsk_buff_pool, u16, &rtnl::Held) -> c_int;

impl<T: Xsk> Operations<T> {
    /// Pools of AF_XDP can be bound to queues.
    pub const fn xsk(mut self) -> Self {
        self.netdev.ndo_xsk_wakeup = Some(Ops::<T>::xsk_wakeup);
        self.xsk = Some(Ops::<T>::set_pool);
        self
    }
}

impl<T: Xsk> Locked<'_, T> {
    /// Has the driver [bind](Xsk::bind) again each pool that is bound to a queue, after the queues have been made anew. What fails
    /// leaves the queue without its pool. Returns the first queue that this is so of, and why.
    ///
    /// Process context. May sleep.
    ///
    /// # Errors
    ///
    /// What the driver says.
    pub fn restore_pools(&self, rtnl: &rtnl::Held) -> Result<(), (u16, Error)> {
        let mut result = Ok(());
        for queue in 0..self.max_queues() {
            let restored = self.context().pools.with(queue, rtnl, |place| match place {
                Some(binding) => T::bind(self, queue, &mut XskSetup::new(binding, rtnl), rtnl),
                None => Ok(()),
            });
            if let (Some(Err(error)), Ok(())) = (restored, result) {
                result = Err((queue, error));
            }
        }
        result
    }
}

impl<T: Xsk> Ops<T> {
    /// `XDP_SETUP_XSK_POOL`.
    ///
    /// # Safety
    ///
    /// `pool` is null, or a pool that is not bound to anything, and stays until it has been taken away here.
    unsafe fn set_pool(
        device: &Locked<'_, T>,
        pool: *mut bindings::xsk_buff_pool,
        queue: u16,
        rtnl: &rtnl::Held,
    ) -> c_int {
        let result = device
            .context()
            .pools
            .with(queue, rtnl, |place| match NonNull::new(pool) {
                None => {
                    if let Some(binding) = place.take() {
                        T::unbind(device, queue, rtnl);
                        binding.close(rtnl);
                    }
                    Ok(())
                }
                Some(_) if place.is_some() => Err(EBUSY),
                Some(pool) => {
                    // SAFETY: By the requirement of this function.
                    *place = Some(unsafe { Self::bind(device, pool, queue, rtnl) }?);
                    Ok(())
                }
            });
        match result {
            Some(Ok(())) => 0,
            Some(Err(error)) => error.to_errno(),
            None => EINVAL.to_errno(),
        }
    }

    /// Binds `pool` to `queue`.
    ///
    /// # Safety
    ///
    /// It is a pool that stays until the result has been closed.
    unsafe fn bind(
        device: &Locked<'_, T>,
        pool: NonNull<bindings::xsk_buff_pool>,
        queue: u16,
        rtnl: &rtnl::Held,
    ) -> Result<Binding> {
        if device.context().is_gone(device) {
            return Err(ENODEV);
        }
        if queue >= device.num_queues() {
            return Err(EINVAL);
        }
        let rx = device.context().rx.get(usize::from(queue)).ok_or(EINVAL)?;
        // SAFETY: By the requirement of this function. The stack takes all pools away before it lets go of the device.
        let mut binding = unsafe { Binding::new(pool, rx.napi().clone()) }?;
        let mut result = T::bind(device, queue, &mut XskSetup::new(&mut binding, rtnl), rtnl);
        if result.is_ok() && !binding.is_mapped() {
            result = Err(EINVAL);
        }
        match result {
            Ok(()) => Ok(binding),
            Err(error) => {
                binding.close(rtnl);
                Err(error)
            }
        }
    }

    /// `ndo_xsk_wakeup`.
    ///
    /// # Safety
    ///
    /// See [`Ops`].
    unsafe extern "C" fn xsk_wakeup(
        dev: *mut bindings::net_device,
        queue: u32,
        flags: u32,
    ) -> c_int {
        // SAFETY: See the type.
        let device = unsafe {
            if !bindings::netif_running(dev) {
                return -(bindings::ENETDOWN as c_int);
            }
            Device::<T>::from_raw(dev)
        };
        let context = device.context();
        let index = queue as usize;
        let (Some(rx), Some(tx)) = (context.rx.get(index), context.tx.get(index)) else {
            return EINVAL.to_errno();
        };
        if flags & bindings::XDP_WAKEUP_TX != 0 {
            tx.napi().schedule_now();
        }
        if flags & bindings::XDP_WAKEUP_RX != 0 {
            rx.napi().schedule_now();
        }
        0
    }
}
