// SPDX-License-Identifier: GPL-2.0

//! The virtqueues of a device: set up when it is bound, and again when it has been reset.

use crate::{
    features,
    rx,
    tx,
    VirtioNet, //
};
use kernel::{
    device::Core,
    net::Allocated,
    prelude::*,
    virtio::{
        fault,
        queue::{
            self,
            Exchange,
            Found,
            Irq,
            Name,
            Request,
            Vectors,
            Virtqueue, //
        },
        Attached,
        Device, //
    },
    vnet::Framing,
};

/// The virtqueues of a device.
pub(crate) struct Queues {
    pub(crate) vectors: Vectors,
    pub(crate) pairs: KVec<(rx::Queue, tx::Queue)>,
    pub(crate) control: Option<Virtqueue<Exchange>>,
}

impl Queues {
    /// Sets up as many queues as `netdev` has, and a control queue if the device has one.
    ///
    /// Process context. May sleep. C functions: `init_vqs()`, `virtnet_create_page_pools()`.
    ///
    /// # Errors
    ///
    /// Any, after a line in the log if it is the transport's; nothing is left.
    pub(crate) fn find(
        netdev: &Allocated<VirtioNet>,
        device: &Device<Core<'_>>,
        attached: &Attached,
        mode: &rx::Mode,
        framing: &Framing,
    ) -> Result<Self> {
        let mut found = request(netdev, device, attached, mode)?;
        let count = netdev.max_queues();

        fault::point("queue list")?;
        let mut pairs = KVec::with_capacity(count.into(), GFP_KERNEL)?;
        for i in 0..count {
            let receive = rx::Queue::new(netdev, i, &mut found, mode, device, framing)?;
            pairs.push((receive, tx::Queue::new(found.take()?)), GFP_KERNEL)?;
        }
        let control = if device.has(features::CTRL_VQ) {
            Some(found.take()?)
        } else {
            None
        };
        let vectors = found.into_vectors();
        for (i, index) in (0..count).zip((0..).step_by(2)) {
            netdev.set_irqs(
                i,
                vectors.irq(index).map(Irq::number),
                vectors.irq(index + 1).map(Irq::number),
            )?;
        }
        Ok(Self {
            vectors,
            pairs,
            control,
        })
    }
}

/// Has the stack forget the interrupts of the queues, which go with them.
///
/// Process context. May sleep.
pub(crate) fn forget_irqs(netdev: &Allocated<VirtioNet>) {
    for i in 0..netdev.max_queues() {
        // There are so many pairs.
        let _ = netdev.set_irqs(i, None, None);
    }
}

/// Asks for the virtqueues, in the order that the device has them (virtio 1.3, section 5.1.2):
/// receive and transmit queue of each of the `pairs`, then the control queue.
///
/// C functions: `virtnet_find_vqs()`, `init_vqs()`.
fn request(
    netdev: &Allocated<VirtioNet>,
    device: &Device<Core<'_>>,
    attached: &Attached,
    mode: &rx::Mode,
) -> Result<Found> {
    let pairs = netdev.max_queues();
    let count = usize::from(pairs) * 2 + usize::from(device.has(features::CTRL_VQ));
    let mut requests = KVec::with_capacity(count, GFP_KERNEL)?;
    for i in 0..pairs {
        let napi = netdev.rx_napi(i).ok_or(EINVAL)?.clone();
        let receive = Request::with_callback::<rx::RecvDone>(Name::numbered("input", i)?, napi);
        let napi = netdev.tx_napi(i).ok_or(EINVAL)?.clone();
        let transmit =
            Request::with_callback::<tx::XmitDone>(Name::numbered("output", i)?, napi).direct();
        let receive = if mode.has_context() {
            receive.with_context()
        } else {
            receive
        };
        requests.push(receive, GFP_KERNEL)?;
        requests.push(transmit, GFP_KERNEL)?;
    }
    if device.has(features::CTRL_VQ) {
        let control = Request::polled(Name::new("control")?);
        requests.push(control, GFP_KERNEL)?;
    }

    queue::find(device, attached, requests).inspect_err(|error| {
        dev_err!(device, "cannot set up virtqueues: {error:?}\n");
    })
}
