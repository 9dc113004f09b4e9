// SPDX-License-Identifier: GPL-2.0

//! Starting to drive a device.

use crate::{
    address,
    affinity::Affinity,
    channels,
    control::Control,
    features,
    link::Link,
    offloads,
    parameters,
    rings::Rings,
    rx,
    tx,
    Shared,
    VirtioNet, //
};
use kernel::{
    device::Core,
    net::{
        Allocated,
        Registration, //
    },
    prelude::*,
    str::CString,
    sync::Arc,
    virtio::{
        fault,
        queue::{
            self,
            Found,
            Request, //
        },
        Attached,
        Device, //
    },
};

/// The MTU of Ethernet (`ETH_DATA_LEN`), in bytes.
const ETHERNET_MTU: u32 = 1500;

/// Sets up the network device and its queues, and registers it.
///
/// C function: `virtnet_probe()`.
///
/// # Errors
///
/// Any; nothing is left.
pub(crate) fn probe(
    device: &Device<Core<'_>>,
    attached: Attached,
) -> Result<Registration<VirtioNet>> {
    let framing = offloads::framing(device);
    let mode = rx::Mode::of(device, &framing)?;
    let pairs = channels::of_device(device)?;

    let mut netdev = Allocated::<VirtioNet>::new(attached.clone(), pairs)?;
    netdev.set_num_queues(channels::at_first(pairs))?;
    address::take(&mut netdev, device)?;
    set_mtu(&mut netdev, &mode);
    offloads::set_features(&mut netdev, device);
    if device.has(features::CTRL_VLAN) {
        netdev.filter_vlans();
    }
    set_napi_weight(&mut netdev, device)?;
    netdev.set_needed_headroom(framing.needed_headroom());

    let mut found = find_queues(&netdev, device, &attached, pairs, &mode)?;

    let affinity = Affinity::new(found.take_vectors()?)?;
    fault::point("queue lists")?;
    let mut rx = KVec::with_capacity(pairs.into(), GFP_KERNEL)?;
    let mut tx = KVec::with_capacity(pairs.into(), GFP_KERNEL)?;
    for i in 0..pairs {
        let receive = rx::Queue::new(&netdev, i, &mut found, &mode, device, &framing)?;
        rx.push(receive, GFP_KERNEL)?;
        tx.push(tx::Queue::new(found.take()?), GFP_KERNEL)?;
    }
    let control = if device.has(features::CTRL_VQ) {
        Some(Control::new(found.take()?)?)
    } else {
        None
    };
    let shared = Shared {
        device: attached,
        framing,
        control,
        rings: Rings::of(&rx, &tx)?,
        link: Link::new()?,
        affinity,
    };
    // Nobody can open the interface before the device has been told to start.
    netdev.register(shared, rx, tx, |netdev, rtnl| {
        device.ready();
        channels::start(netdev, rtnl);
        address::start(netdev, rtnl);
    })
}

/// Asks for the virtqueues, in the order that the device has them (virtio 1.3, section 5.1.2):
/// receive and transmit queue of each of the `pairs`, then the control queue.
///
/// C functions: `virtnet_find_vqs()`, `init_vqs()`.
fn find_queues(
    netdev: &Allocated<VirtioNet>,
    device: &Device<Core<'_>>,
    attached: &Attached,
    pairs: u16,
    mode: &rx::Mode,
) -> Result<Found> {
    let count = usize::from(pairs) * 2 + usize::from(device.has(features::CTRL_VQ));
    let mut requests = KVec::with_capacity(count, GFP_KERNEL)?;
    for i in 0..pairs {
        let napi = netdev.rx_napi(i).ok_or(EINVAL)?.clone();
        let receive = Request::with_callback(
            CString::try_from_fmt(fmt!("input.{i}"))?,
            Arc::new(rx::RecvDone(napi), GFP_KERNEL)?,
        );
        let napi = netdev.tx_napi(i).ok_or(EINVAL)?.clone();
        let transmit = Request::with_callback(
            CString::try_from_fmt(fmt!("output.{i}"))?,
            Arc::new(tx::XmitDone(napi), GFP_KERNEL)?,
        );
        let receive = if mode.has_context() {
            receive.with_context()
        } else {
            receive
        };
        requests.push(receive, GFP_KERNEL)?;
        requests.push(transmit, GFP_KERNEL)?;
    }
    if device.has(features::CTRL_VQ) {
        let control = Request::polled(CString::try_from_fmt(fmt!("control"))?);
        requests.push(control, GFP_KERNEL)?;
    }

    queue::find(device, attached, requests).inspect_err(|error| {
        dev_err!(device, "cannot set up virtqueues: {error:?}\n");
    })
}

/// Sets the MTU: the device's where it gives one, but not more than the receive buffers can hold.
fn set_mtu(netdev: &mut Allocated<VirtioNet>, mode: &rx::Mode) {
    let mtu = match mode.device_mtu {
        Some(mtu) => mtu.min(mode.max_mtu),
        None => ETHERNET_MTU,
    };
    netdev.set_mtu(mtu, features::MIN_MTU.into(), mode.max_mtu);
}

/// Takes the module's `napi_weight`. With one that lets no packet through, a receive queue would be
/// polled for ever.
fn set_napi_weight(netdev: &mut Allocated<VirtioNet>, device: &Device<Core<'_>>) -> Result {
    let weight = parameters::NAPI_WEIGHT.get();
    netdev.set_napi_weight(weight).inspect_err(|_| {
        dev_err!(
            device,
            "napi_weight={weight} receives nothing: load the module with one from 1 on\n"
        )
    })
}
