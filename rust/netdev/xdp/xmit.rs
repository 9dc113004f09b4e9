// SPDX-License-Identifier: GPL-2.0

//! Sending frames: what programs send back, and what others send here.

use super::{
    Frames,
    TxBulk,
    Xdp, //
};
use crate::{
    bindings,
    ops::Ops,
    queue::TxSlot,
    rtnl,
    Device,
    Locked,
    Polling, //
};
use core::{
    ptr::NonNull,
    sync::atomic::Ordering::Relaxed, //
};
use kernel::prelude::*;

impl<T: Xdp> Device<T> {
    /// Sends what a program has sent back, through the transmit queue beside the receive queue that is being polled. What cannot
    /// be sent is dropped, and counted.
    #[inline]
    pub fn send_back(&self, polling: &Polling<'_>, bulk: &mut TxBulk) {
        let index = u32::from(polling.napi().index());
        bulk.send(|frames| self.send_through(index, frames, true));
    }

    /// How many of the transmit queues behind those that the stack uses are for frames alone. Any context; it changes only
    /// while both locks are held.
    #[inline]
    pub fn frame_queues(&self) -> u16 {
        self.context().frame_queues.load(Relaxed)
    }

    /// Sends frames through the transmit queue `index`, or another one if that is not for frames. Softirq context.
    #[inline]
    fn send_through(&self, index: u32, frames: &mut Frames<'_>, flush: bool) {
        let used = u32::from(self.num_queues()).max(1);
        let index = match u32::from(self.frame_queues()) {
            0 if index < used => index,
            0 => index % used,
            own => used.wrapping_add(index % own),
        };
        let Some(slot) = self.context().tx.get(index as usize) else {
            return;
        };
        slot.with_frames_lock(|access| {
            T::xmit_frames(self, access, TxSlot::stats(slot), frames, flush);
        });
    }
}

impl<T: Xdp> Locked<'_, T> {
    /// Sets how many of the transmit queues behind those that the stack uses are for frames alone. With 0, frames go through
    /// those of the stack.
    ///
    /// Once it has returned, none goes through others any more. Process context. May sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there are not so many queues. Nothing has changed then.
    pub fn set_frame_queues(&self, count: u16, _rtnl: &rtnl::Held) -> Result {
        if count > self.max_queues().saturating_sub(self.num_queues()) {
            return Err(EINVAL);
        }
        if self.context().frame_queues.swap(count, Relaxed) != count {
            // SAFETY: The caller may sleep. Whoever sends a frame is in softirq context meanwhile.
            unsafe { bindings::synchronize_net() };
        }
        Ok(())
    }
}

impl<T: Xdp> Ops<T> {
    /// `ndo_xdp_xmit`.
    ///
    /// # Safety
    ///
    /// See [`Ops`]. `frames` are `count` valid frames, of which those that are sent pass on. Softirqs are off.
    pub(super) unsafe extern "C" fn xdp_xmit(
        dev: *mut bindings::net_device,
        count: c_int,
        frames: *mut *mut bindings::xdp_frame,
        flags: u32,
    ) -> c_int {
        if flags & !bindings::XDP_XMIT_FLUSH != 0 {
            return EINVAL.to_errno();
        }
        // SAFETY: See the type.
        let device = unsafe {
            if !bindings::netif_running(dev) {
                return -(bindings::ENETDOWN as c_int);
            }
            Device::<T>::from_raw(dev)
        };
        // SAFETY: By the requirement of this function; pointers that are not null have the form of the type.
        let (mut frames, cpu) = unsafe {
            let frames = core::slice::from_raw_parts(
                frames.cast::<NonNull<bindings::xdp_frame>>(),
                count.max(0) as usize,
            );
            (Frames::new(frames), bindings::this_cpu())
        };
        let flush = flags & bindings::XDP_XMIT_FLUSH != 0;
        device.send_through(cpu, &mut frames, flush);
        // CAST: The stack sends few at a time.
        frames.sent() as c_int
    }
}
