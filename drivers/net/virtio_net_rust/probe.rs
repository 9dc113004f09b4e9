// SPDX-License-Identifier: GPL-2.0

//! Starting to drive a device.

use crate::{
    address,
    affinity::Affinity,
    channels::{
        self,
        frames::FramePairs, //
    },
    coalesce::Moderations,
    control::Control,
    device_stats,
    features,
    health::Health,
    link::{
        self,
        Link, //
    },
    manage::{
        self,
        DmaDevices, //
    },
    offloads,
    parameters,
    queues::Queues,
    rings::Rings,
    rss::Rss,
    rx,
    vlan::Vlans,
    xdp,
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
    virtio::{
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
    let rss = Rss::of_device(device)?;

    let mut netdev = Allocated::<VirtioNet>::new(attached.clone(), pairs)?;
    netdev.set_num_queues(channels::at_first(pairs))?;
    address::take(&mut netdev, device)?;
    set_mtu(&mut netdev, &mode);
    xdp::set_features(&mut netdev, &mode, device);
    manage::offer(&mut netdev, device);
    if device.has(features::CTRL_VLAN) {
        netdev.filter_vlans();
    }
    if device.has(features::VQ_NOTF_COAL) {
        netdev.adapt_moderation()?;
    }
    if mode.is_mergeable() {
        netdev.show_rx_buffer_len();
    }
    netdev.set_rss_sizes(rss.as_ref().map_or_else(Default::default, Rss::sizes));
    set_napi_weight(&mut netdev, device)?;
    netdev.set_needed_headroom(framing.needed_headroom());

    let queues = Queues::find(&netdev, device, &attached, &mode, &framing)?;
    offloads::set_features(&mut netdev, device, &queues.pairs);
    let affinity = Affinity::new(queues.vectors)?;
    let control = match queues.control {
        Some(queue) => Some(Control::new(queue)?),
        None => None,
    };
    let shared = Shared {
        device: attached,
        framing,
        mode,
        control,
        rings: Rings::of(&queues.pairs)?,
        dma_devices: DmaDevices::of_queues(&queues.pairs)?,
        frame_pairs: FramePairs::default(),
        link: Link::new(),
        moderation: Moderations::of(&queues.pairs)?,
        rss,
        affinity,
        vlans: Vlans::none(),
        device_stats: Default::default(),
        health: Health::new(pairs)?,
    };
    // Nobody can open the interface before the device has been told to start, but a master that is up when its standby
    // is registered.
    if device.has(features::STANDBY) {
        netdev.stand_by()?;
        device.ready();
    }
    netdev.register(shared, queues.pairs, |netdev, rtnl| {
        device.ready();
        link::start(netdev);
        channels::start(netdev, rtnl);
        address::start(netdev, rtnl);
        device_stats::start(netdev);
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
