// SPDX-License-Identifier: GPL-2.0

//! The MAC address.

use crate::{
    config,
    control::{
        commands::SetMac,
        Access, //
    },
    features,
    rx_mode,
    VirtioNet, //
};
use kernel::{
    device::Core,
    net::{
        self,
        rtnl,
        Allocated,
        Device, //
    },
    prelude::*,
    virtio::{
        self,
        Feature, //
    },
};

impl net::SetMac for VirtioNet {
    fn set_mac(device: &Device<Self>, address: [u8; 6], rtnl: &rtnl::Held) -> Result {
        change(device, address, rtnl)
    }
}

/// Takes the device's address, or a random one.
///
/// # Errors
///
/// `EIO` if the configuration cannot be read.
pub(crate) fn take(netdev: &mut Allocated<VirtioNet>, device: &virtio::Device<Core<'_>>) -> Result {
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

/// Tells a device that has started the address that was chosen for it, unless it is the device's own:
/// one that filters passes nothing on otherwise. One that does not want to know may work all the same.
pub(crate) fn start(device: &Device<VirtioNet>, rtnl: &rtnl::Held) {
    let shared = device.shared();
    if !device.has_random_mac(rtnl) {
        return;
    }
    if let Err(error) = set(device, device.mac(rtnl)) {
        dev_warn!(
            shared.device,
            "device does not take a MAC address: {error:?}\n"
        );
    }
}

/// Changes the address. A device whose own cannot be set has it in its filter, as that of a
/// station which the guest wants to receive for; the C driver receives nothing then.
///
/// Process context, rtnl held. May sleep. C function: `virtnet_set_mac_address()`.
///
/// # Errors
///
/// `EOPNOTSUPP` for a standby, which its primary is known by; what [`Access::send`](crate::control::Access::send) says.
pub(crate) fn change(device: &Device<VirtioNet>, address: [u8; 6], rtnl: &rtnl::Held) -> Result {
    let shared = device.shared();
    if shared.device.has(features::STANDBY) {
        return Err(net::not_supported());
    }
    set(device, address)?;
    if can_be_set(&shared.device) {
        return Ok(());
    }
    let mut wanted = device.rx_mode(rtnl);
    wanted.own = address;
    rx_mode::set(device, &wanted)
}

/// Whether there is a way to set the device's address.
pub(crate) fn can_be_set(device: &virtio::Device) -> bool {
    device.has(features::CTRL_MAC_ADDR)
        || (device.has(features::MAC) && !device.has(Feature::VERSION_1))
}

/// Tells the device its address, if there is a way to.
///
/// Process context, rtnl held. May sleep. C function: `virtnet_set_mac_address()`.
///
/// # Errors
///
/// What [`Access::send`](crate::control::Access::send) says.
pub(crate) fn set(device: &Device<VirtioNet>, address: [u8; 6]) -> Result {
    let virtio = &device.shared().device;
    match Access::new(device, features::CTRL_MAC_ADDR) {
        Some(control) => control.send(&SetMac(address)),
        None if can_be_set(virtio) => virtio.write_config(&config::MAC, address),
        None => Ok(()),
    }
}
