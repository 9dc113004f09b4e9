// SPDX-License-Identifier: GPL-2.0

//! Lending memory by its DMA addresses, which somebody else has mapped.

use super::{
    virtqueue::Addresses,
    Buffer,
    Outgoing,
    OutgoingPremapped,
    Premapped,
    PremappedBatch,
    Rejected,
    Virtqueue, //
};
use crate::bindings;
use dma::DmaDevice;
use kernel::prelude::*;

impl<B: Buffer> Virtqueue<B> {
    /// The device that memory has to be mapped for which is lent by its DMA address: that which does DMA for the queue, or else the
    /// virtio device itself, of which the queue takes what is mapped one to one. None where only the transport knows.
    pub fn mapping_device(&self) -> DmaDevice<'_> {
        let device = self.dma_device();
        match device.attached() {
            // SAFETY: By the type invariant the virtio device is valid, and it is bound as long as there is a hold on it. It is on no bus
            // with an IOMMU, and no driver maps memory for it: DMA is a matter of its parent.
            Some(attached) if matches!(self.addresses, Addresses::Physical) => unsafe {
                DmaDevice::direct(attached.as_raw(), attached)
            },
            _ => device,
        }
    }
}

impl<B: Premapped> Virtqueue<B> {
    /// Lends buffers to the device, in their order. [`kick`](Self::kick) is owed afterwards.
    ///
    /// # Errors
    ///
    /// The first that is not lent comes back: see [`Rejected`]. Those behind it are dropped with the batch. It is `EINVAL` if they
    /// are none of [`lend_from`](Self::lend_from).
    #[inline]
    pub fn add_premapped<I>(&mut self, mut buffers: I) -> Result<(), Rejected<B>>
    where
        I: PremappedBatch<Item = B>,
    {
        let are_ours = self
            .source
            .as_ref()
            .is_some_and(|source| buffers.is_of(source));
        if !are_ours {
            let error = EINVAL;
            let rejected = buffers.next().map(|buffer| Rejected { buffer, error });
            return rejected.map_or(Ok(()), Err);
        }
        for buffer in buffers {
            let capacity = buffer.capacity();
            // SAFETY: By the type invariant; `&mut self` serialises. The buffer is of the queue's source, so it owns `capacity` bytes
            // at the address, for the device that the source is mapped for, which is that of the queue.
            unsafe {
                let address = buffer.dma_address();
                Self::lend_token(buffer, |token, context| {
                    bindings::virtqueue_add_inbuf_dma(
                        self.raw.as_ptr(),
                        address,
                        capacity,
                        token.as_ptr(),
                        context,
                        bindings::GFP_ATOMIC,
                    )
                })
            }?;
        }
        Ok(())
    }
}

impl<B: Outgoing> Virtqueue<B> {
    /// Lends memory that the device is to read. [`kick`](Self::kick) is owed afterwards.
    ///
    /// # Errors
    ///
    /// It comes back as a buffer of the queue does: see [`Rejected`]. It is `EINVAL` if it is not of
    /// [`lend_from`](Self::lend_from).
    // Always, as what has just been made of a packet is in registers.
    #[inline(always)]
    pub fn add_outbuf_premapped<P: OutgoingPremapped<B>>(
        &mut self,
        buffer: P,
    ) -> Result<(), Rejected<B::Returned>> {
        let is_ours = self
            .source
            .as_ref()
            .is_some_and(|source| buffer.is_of(source));
        let mapped = if is_ours {
            buffer.map(&mut self.table)
        } else {
            Err(EINVAL)
        };
        let token = buffer.into_token();
        // SAFETY: By the type invariant; `&mut self` serialises. The table describes memory of the queue's source by addresses
        // of the queue's device, for which it stays mapped as long as the queue has the source.
        unsafe {
            Self::send_token(token, mapped, |mapped| {
                bindings::virtqueue_add_outbuf_premapped(
                    self.raw.as_ptr(),
                    self.table.as_mut_ptr(),
                    mapped.entries(),
                    token.as_ptr(),
                    bindings::GFP_ATOMIC,
                )
            })
        }
    }
}
