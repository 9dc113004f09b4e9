// SPDX-License-Identifier: GPL-2.0

//! Receive queues that the stack manages: leases to virtual devices, and starting one with new memory.
//!
//! A virtqueue is emptied by a reset of it (virtio 1.3, section 2.6.1). So a device that cannot reset a queue does not have this at all:
//! the stack says that it `does not support queue management operations`. C does not have it either.

use crate::{
    coalesce,
    rx,
    tx,
    VirtioNet, //
};
use kernel::{
    dma::{
        DmaDevice,
        HeldDmaDevice, //
    },
    net::{
        self,
        Allocated,
        Locked,
        PagePool,
        RxPaused, //
    },
    prelude::*,
    virtio::{
        self,
        Feature, //
    },
};

impl net::QueueManagement for VirtioNet {
    type RxMemory = PagePool;

    fn alloc_rx_memory(device: &Locked<'_, Self>, queue: u16) -> Result<PagePool> {
        let shared = device.shared();
        let dma = shared.dma_devices.of(queue).ok_or(EINVAL)?;
        device.page_pool(queue, shared.rings.sizes().rx, dma)
    }

    fn stop_rx(device: &Locked<'_, Self>, queue: u16, rx: RxPaused<'_, Self>) -> Result {
        let reset = rx.state.reset();
        reset.result.inspect_err(|error| {
            let state = if reset.broken { "is broken" } else { "goes on" };
            dev_err!(
                device.shared().device,
                "receive queue {queue} of {} {state}, no reset for new memory: {error:?}\n",
                device.name()
            );
        })?;
        // What fails has said so.
        let _ = coalesce::restore_rx(device, queue);
        Ok(())
    }

    fn exchange_rx_memory(rx: &mut rx::Queue, pool: PagePool) -> Result {
        rx.exchange_pool(pool)
    }

    fn rx_dma_device<'a>(device: &'a Locked<'_, Self>, queue: u16) -> Option<DmaDevice<'a>> {
        device.shared().dma_devices.of(queue)
    }
}

/// Has the stack manage the receive queues, if the device can reset a queue.
pub(crate) fn offer(netdev: &mut Allocated<VirtioNet>, device: &virtio::Device) {
    if device.has(Feature::RING_RESET) {
        netdev.manage_queues();
    }
}

/// The devices that do DMA for the receive queues, for those who do not have the queues.
pub(crate) struct DmaDevices(KVec<HeldDmaDevice>);

impl DmaDevices {
    /// Those of these queues.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn of_queues(queues: &[(rx::Queue, tx::Queue)]) -> Result<Self> {
        let mut devices = KVec::with_capacity(queues.len(), GFP_KERNEL)?;
        for (rx, _) in queues {
            devices.push(rx.dma_device().hold(), GFP_KERNEL)?;
        }
        Ok(Self(devices))
    }

    /// That of the receive queue `queue`, if there is such a queue.
    fn of(&self, queue: u16) -> Option<DmaDevice<'_>> {
        self.0.get(usize::from(queue)).map(HeldDmaDevice::get)
    }
}
