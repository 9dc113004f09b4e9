// SPDX-License-Identifier: GPL-2.0

//! Starting to drive a device.

use crate::{
    config,
    features,
    offloads,
    parameters,
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
/// C functions: `virtnet_probe()`, `init_vqs()`.
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

    let mut netdev = Allocated::<VirtioNet>::new(attached.clone(), 1)?;
    set_mac(&mut netdev, device)?;
    set_mtu(&mut netdev, &mode);
    offloads::set_features(&mut netdev, device);
    set_napi_weight(&mut netdev, device)?;
    netdev.set_needed_headroom(framing.needed_headroom());

    let napi = netdev.rx_napi(0).ok_or(EINVAL)?.clone();
    let receive = Request::with_callback(
        CString::try_from_fmt(fmt!("input.0"))?,
        Arc::new(rx::RecvDone(napi), GFP_KERNEL)?,
    );
    let napi = netdev.tx_napi(0).ok_or(EINVAL)?.clone();
    let transmit = Request::with_callback(
        CString::try_from_fmt(fmt!("output.0"))?,
        Arc::new(tx::XmitDone(napi), GFP_KERNEL)?,
    );
    let mut requests = KVec::with_capacity(3, GFP_KERNEL)?;
    let receive = if mode.has_context() {
        receive.with_context()
    } else {
        receive
    };
    requests.push(receive, GFP_KERNEL)?;
    requests.push(transmit, GFP_KERNEL)?;
    if device.has(features::CTRL_VQ) {
        let control = Request::polled(CString::try_from_fmt(fmt!("control"))?);
        requests.push(control, GFP_KERNEL)?;
    }

    let mut found = queue::find(device, &attached, requests).inspect_err(|error| {
        dev_err!(device, "cannot set up virtqueues: {error:?}\n");
    })?;
    let shared = Shared {
        device: attached,
        framing,
    };
    let receive = rx::Queue::new(&netdev, 0, &mut found, &mode, &shared)?;
    let transmit = found.take()?;

    fault::point("queue lists")?;
    let mut rx = KVec::with_capacity(1, GFP_KERNEL)?;
    rx.push(receive, GFP_KERNEL)?;
    let mut tx = KVec::with_capacity(1, GFP_KERNEL)?;
    tx.push(tx::Queue::new(transmit), GFP_KERNEL)?;

    // Nobody can open the interface before the device has been told to start.
    netdev.register(shared, rx, tx, |_netdev, _rtnl| device.ready())
}

/// Takes the device's MAC address, or a random one.
fn set_mac(netdev: &mut Allocated<VirtioNet>, device: &Device<Core<'_>>) -> Result {
    let address = if device.has(features::MAC) {
        Some(device.read_config(&config::MAC)?)
    } else {
        None
    };
    if !netdev.set_mac(address) {
        dev_info!(
            device,
            "the device has no valid MAC address, using a random one\n"
        );
    }
    Ok(())
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
