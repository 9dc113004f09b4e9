// SPDX-License-Identifier: GPL-2.0

//! Receive queues that the stack manages: it has one start with new memory, and leases one to a virtual device, which passes
//! it on to a container for instance (netkit).
//!
//! A queue cannot exist twice, so it is stopped before it is started with the new memory, which has been made by then: what fails until
//! that leaves it as it was. It is [`Stopped`](super::Life::Stopped) in between, with its old memory, and nobody else has the lock.
//!
//! A device of this kind has a lock of its own for its configuration, see [`Locked`].
//!
//! What the stack takes new memory for are providers of memory (devmem, zero copy of io_uring). They ask for headers in memory of
//! the kernel's (`tcp-data-split`), and are refused by the stack where a driver has no such setting. So is a size of the pages, which goes
//! with a provider.
//!
//! C header: [`include/net/netdev_queues.h`](srctree/include/net/netdev_queues.h)

use super::{
    Life,
    RxPaused,
    RxSlot, //
};
use crate::{
    bindings,
    Allocated,
    Device,
    Driver,
    Exclusive,
    Locked, //
};
use core::{
    ffi::c_void,
    marker::PhantomData,
    mem::{
        align_of,
        size_of, //
    },
    ptr::null_mut, //
};
use dma::DmaDevice;
use kernel::{
    error::from_result,
    prelude::*, //
};

/// A driver whose receive queues the stack may manage, of devices for which [`Allocated::manage_queues`] is called.
pub trait QueueManagement: Driver {
    /// What the buffers of a receive queue come from.
    type RxMemory: Send;

    /// Makes memory for the receive queue `queue`, which goes on with what it has.
    ///
    /// `ndo_queue_mem_alloc`: process context, the device locked, may sleep. The interface may be down.
    ///
    /// # Errors
    ///
    /// Any.
    fn alloc_rx_memory(device: &Locked<'_, Self>, queue: u16) -> Result<Self::RxMemory>;

    /// Takes back all buffers that the receive queue `queue` has lent. It is not polled any more, and is going to be started again.
    ///
    /// `ndo_queue_stop`: process context, the device locked, may sleep.
    ///
    /// # Errors
    ///
    /// Any: the queue goes on as it is.
    fn stop_rx(device: &Locked<'_, Self>, queue: u16, rx: RxPaused<'_, Self>) -> Result;

    /// Has a receive queue that has been [stopped](Self::stop_rx) take its buffers from `memory`. It is [filled](Driver::open_rx)
    /// next.
    ///
    /// `ndo_queue_start`: process context, the device locked, may sleep.
    ///
    /// # Errors
    ///
    /// Any: the queue is started with what it has.
    fn exchange_rx_memory(rx: &mut Self::Rx, memory: Self::RxMemory) -> Result;

    /// The device that does DMA for the receive queue `queue`, if memory can be mapped for one.
    ///
    /// `ndo_queue_get_dma_dev`: process context, the device locked.
    fn rx_dma_device<'a>(device: &'a Locked<'_, Self>, queue: u16) -> Option<DmaDevice<'a>>;
}

impl<T: QueueManagement> Allocated<T> {
    /// Has the stack manage the receive queues of the device.
    pub fn manage_queues(&mut self) {
        self.fields().queue_mgmt_ops = QueueOps::<T>::OPS;
    }
}

/// `ENETDOWN`: the device has no queues now. The stack bears it where it takes memory away.
fn net_down() -> Error {
    // CAST: It is a small positive number.
    Error::from_errno(-(bindings::ENETDOWN as c_int))
}

/// What the stack keeps of the memory of a queue, in a place of its own, which is zeroed at first: new memory until the queue takes
/// it. What a queue had before stays with it until then.
type Place<T> = Option<<T as QueueManagement>::RxMemory>;

/// The callbacks for the driver `T`.
///
/// # Safety of the callbacks
///
/// The stack calls them for a registered device, to which they belong, with its lock held. A place is valid for reads and writes, and
/// nothing else uses it.
struct QueueOps<T: QueueManagement>(PhantomData<T>);

impl<T: QueueManagement> QueueOps<T> {
    const OPS: &'static bindings::netdev_queue_mgmt_ops = &bindings::netdev_queue_mgmt_ops {
        ndo_queue_mem_size: {
            // As the stack allocates it.
            assert!(align_of::<Place<T>>() <= align_of::<u64>());
            size_of::<Place<T>>()
        },
        ndo_queue_mem_alloc: Some(Self::mem_alloc),
        ndo_queue_mem_free: Some(Self::mem_free),
        ndo_queue_start: Some(Self::start),
        ndo_queue_stop: Some(Self::stop),
        ndo_queue_get_dma_dev: Some(Self::get_dma_dev),
        ..pin_init::zeroed()
    };

    /// The device, and what it has as the receive queue `index`, by number and by place.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no such queue.
    ///
    /// # Safety
    ///
    /// See the type. The lock is held for the lifetime, which is that of the call.
    unsafe fn queue<'a>(
        dev: *mut bindings::net_device,
        index: c_int,
    ) -> Result<(Locked<'a, T>, u16, &'a RxSlot<T>)> {
        // SAFETY: By the requirements of this function.
        let (device, rx) = unsafe {
            let device = Locked::assume(Device::from_raw(dev));
            (device, &Device::<T>::from_raw(dev).context().rx)
        };
        let index = u16::try_from(index)?;
        let slot = rx.get(usize::from(index)).ok_or(EINVAL)?;
        Ok((device, index, slot))
    }

    /// The queue, which is stopped.
    ///
    /// # Safety
    ///
    /// The lock of the device is held. There is one such value at a time.
    unsafe fn stopped<'a>(device: &Locked<'_, T>, rx: &'a RxSlot<T>) -> Result<RxPaused<'a, T>> {
        if rx.slot.life(device) != Life::Stopped {
            return Err(net_down());
        }
        // SAFETY: The context is disabled, and the lock is held.
        let state = unsafe { rx.slot.state() };
        Ok(RxPaused {
            state: state.ok_or(EINVAL)?,
            stats: RxSlot::stats(rx),
            owner: Exclusive {
                napi: rx.napi(),
                gfp: bindings::GFP_KERNEL,
                has_program: device.has_program(),
            },
            polled: true,
        })
    }

    /// `ndo_queue_mem_alloc`.
    ///
    /// # Safety
    ///
    /// See the type.
    unsafe extern "C" fn mem_alloc(
        dev: *mut bindings::net_device,
        _config: *mut bindings::netdev_queue_config,
        place: *mut c_void,
        index: c_int,
    ) -> c_int {
        from_result(|| {
            // SAFETY: See the type.
            let (device, index, _) = unsafe { Self::queue(dev, index) }?;
            if device.context().is_gone(&device) {
                return Err(net_down());
            }
            let memory = T::alloc_rx_memory(&device, index)?;
            // SAFETY: See the type. There is nothing in the place.
            unsafe { place.cast::<Place<T>>().write(Some(memory)) };
            Ok(0)
        })
    }

    /// `ndo_queue_mem_free`.
    ///
    /// # Safety
    ///
    /// See the type. The place has been written to.
    unsafe extern "C" fn mem_free(_dev: *mut bindings::net_device, place: *mut c_void) {
        // SAFETY: See the type. The stack does not use what is there any more.
        unsafe { place.cast::<Place<T>>().drop_in_place() };
    }

    /// `ndo_queue_stop`.
    ///
    /// # Safety
    ///
    /// See the type. There is nothing in the place.
    unsafe extern "C" fn stop(
        dev: *mut bindings::net_device,
        place: *mut c_void,
        index: c_int,
    ) -> c_int {
        from_result(|| {
            // SAFETY: See the type.
            let (device, index, rx) = unsafe { Self::queue(dev, index) }?;
            // SAFETY: The device is registered, and the lock is held.
            let stopped = unsafe {
                rx.slot.stop(&device).map_err(|_| net_down())?;
                if let Some(dim) = &rx.dim {
                    dim.cancel();
                }
                Self::stopped(&device, rx)
            };
            let emptied = stopped.and_then(|paused| T::stop_rx(&device, index, paused));
            if emptied.is_err() {
                // SAFETY: The device is registered.
                unsafe { rx.slot.start(&device) }?;
            }
            emptied?;
            // SAFETY: See the type.
            unsafe { place.cast::<Place<T>>().write(None) };
            Ok(0)
        })
    }

    /// `ndo_queue_start`.
    ///
    /// # Safety
    ///
    /// See the type. The place has been written to.
    unsafe extern "C" fn start(
        dev: *mut bindings::net_device,
        _config: *mut bindings::netdev_queue_config,
        place: *mut c_void,
        index: c_int,
    ) -> c_int {
        from_result(|| {
            // SAFETY: See the type.
            let (device, _, rx) = unsafe { Self::queue(dev, index) }?;
            // SAFETY: The lock is held. See the type.
            let (paused, memory) = unsafe {
                let place = place.cast::<Place<T>>();
                (Self::stopped(&device, rx)?, (*place).take())
            };
            let RxPaused {
                state,
                stats,
                owner,
                ..
            } = paused;
            if let Some(memory) = memory {
                T::exchange_rx_memory(state, memory)?;
            }
            T::open_rx(&device, state, stats, &owner);
            T::start_rx(state, stats);
            // SAFETY: The device is registered. The queue is stopped.
            unsafe { rx.slot.start(&device) }?;
            Ok(0)
        })
    }

    /// `ndo_queue_get_dma_dev`.
    ///
    /// # Safety
    ///
    /// See the type.
    unsafe extern "C" fn get_dma_dev(
        dev: *mut bindings::net_device,
        index: c_int,
    ) -> *mut bindings::device {
        // SAFETY: See the type.
        let Ok((device, index, _)) = (unsafe { Self::queue(dev, index) }) else {
            return null_mut();
        };
        T::rx_dma_device(&device, index).map_or(null_mut(), |device| device.as_raw())
    }
}
