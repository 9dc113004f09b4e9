// SPDX-License-Identifier: GPL-2.0

//! Starting to drive a device.

use crate::{
    config,
    features,
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
        Features,
        Framing,
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

/// The largest MTU that the stack knows (`ETH_MAX_MTU`), in bytes.
const MAX_MTU: u32 = 65535;

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
    let mergeable = device.has(features::MRG_RXBUF);
    let framing = Framing::of(device, mergeable);

    let mut netdev = Allocated::<VirtioNet>::new(attached.clone(), 1)?;
    set_mac(&mut netdev, device)?;
    set_mtu(&mut netdev, device, mergeable, &framing)?;
    set_features(&mut netdev, device);
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
    requests.push(receive.with_context(), GFP_KERNEL)?;
    requests.push(transmit, GFP_KERNEL)?;
    if device.has(features::CTRL_VQ) {
        let control = Request::polled(CString::try_from_fmt(fmt!("control"))?);
        requests.push(control, GFP_KERNEL)?;
    }

    let mut found = queue::find(device, &attached, requests).inspect_err(|error| {
        dev_err!(device, "cannot set up virtqueues: {error:?}\n");
    })?;
    let receive = found.take()?;
    let pool = netdev.page_pool(0, &receive)?;
    let transmit = found.take()?;

    fault::point("queue lists")?;
    let mut rx = KVec::with_capacity(1, GFP_KERNEL)?;
    rx.push(rx::Queue::new(receive, pool), GFP_KERNEL)?;
    let mut tx = KVec::with_capacity(1, GFP_KERNEL)?;
    tx.push(tx::Queue::new(transmit), GFP_KERNEL)?;

    let shared = Shared {
        device: attached,
        framing,
        mergeable,
    };
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
fn set_mtu(
    netdev: &mut Allocated<VirtioNet>,
    device: &Device<Core<'_>>,
    mergeable: bool,
    framing: &Framing,
) -> Result {
    let fits = if mergeable {
        MAX_MTU
    } else {
        rx::single_buffer_mtu(framing.len())
    };
    let (mtu, max) = if device.has(features::MTU) {
        let mtu = u32::from(device.read_config(&config::MTU)?);
        if mtu > fits {
            dev_warn!(
                device,
                "the device's MTU of {mtu} is more than the {fits} that one receive buffer holds: \
                 give the device mergeable buffers for all of it\n"
            );
        }
        (mtu.min(fits), mtu.min(fits))
    } else {
        (ETHERNET_MTU, fits)
    };
    netdev.set_mtu(mtu, features::MIN_MTU.into(), max);
    Ok(())
}

/// Translates what has been negotiated into features of the network device.
fn set_features(netdev: &mut Allocated<VirtioNet>, device: &Device<Core<'_>>) {
    let changeable = if device.has(features::CSUM) {
        Features::HW_CSUM | Features::SG
    } else {
        Features::NONE
    };
    let on = if parameters::CSUM.get() {
        changeable
    } else {
        Features::NONE
    };
    // Also without GUEST_CSUM: the device may say that it has checked a complete checksum.
    netdev.set_features(on | Features::RXCSUM | Features::HIGHDMA, changeable);
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
