// SPDX-License-Identifier: GPL-2.0

//! The features that the driver knows, and what it demands of a device that offers them (virtio
//! 1.3, sections 5.1.3 and 5.1.3.1).

use crate::config;
use kernel::{
    prelude::*,
    virtio::{
        Feature,
        Negotiation, //
    },
};

/// The smallest MTU, in bytes: what IPv4 needs (`ETH_MIN_MTU`), and the spec demands of a device.
pub(crate) const MIN_MTU: u16 = 68;

/// `VIRTIO_NET_F_CSUM`: the device completes checksums of packets that are sent.
pub(crate) const CSUM: Feature = Feature::new(0);
/// `VIRTIO_NET_F_GUEST_CSUM`: packets may be received with a checksum that is not complete.
pub(crate) const GUEST_CSUM: Feature = Feature::new(1);
/// `VIRTIO_NET_F_MTU`: the device says what the largest MTU is.
pub(crate) const MTU: Feature = Feature::new(3);
/// `VIRTIO_NET_F_MAC`: the device has a MAC address.
pub(crate) const MAC: Feature = Feature::new(5);
/// `VIRTIO_NET_F_MRG_RXBUF`: the device can spread a packet over several receive buffers.
pub(crate) const MRG_RXBUF: Feature = Feature::new(15);
/// `VIRTIO_NET_F_STATUS`: the device says whether the link is up.
pub(crate) const STATUS: Feature = Feature::new(16);
/// `VIRTIO_NET_F_CTRL_VQ`: there is a control queue.
pub(crate) const CTRL_VQ: Feature = Feature::new(17);

/// The features of a device that follows virtio 1.0 or later.
pub(crate) const MODERN: &[Feature] = &[CSUM, GUEST_CSUM, MTU, MAC, MRG_RXBUF, STATUS, CTRL_VQ];

/// The features of a legacy device.
pub(crate) const LEGACY: &[Feature] = &[
    CSUM,
    GUEST_CSUM,
    MTU,
    MAC,
    MRG_RXBUF,
    STATUS,
    CTRL_VQ,
    Feature::ANY_LAYOUT,
];

/// What a device must not offer without [`CTRL_VQ`]: the features that are commands.
const COMMANDS: &[(Feature, &str)] = &[
    (Feature::new(18), "VIRTIO_NET_F_CTRL_RX"),
    (Feature::new(19), "VIRTIO_NET_F_CTRL_VLAN"),
    (Feature::new(21), "VIRTIO_NET_F_GUEST_ANNOUNCE"),
    (Feature::new(22), "VIRTIO_NET_F_MQ"),
    (Feature::new(23), "VIRTIO_NET_F_CTRL_MAC_ADDR"),
    (Feature::new(52), "VIRTIO_NET_F_VQ_NOTF_COAL"),
    (Feature::new(53), "VIRTIO_NET_F_NOTF_COAL"),
    (Feature::new(57), "VIRTIO_NET_F_HASH_REPORT"),
    (Feature::new(60), "VIRTIO_NET_F_RSS"),
];

/// Refuses a device whose features or configuration contradict themselves, with one line in the
/// log.
///
/// C functions: `virtnet_validate()`, `virtnet_validate_features()`. Unlike C, which ignores a bad
/// MTU silently, this refuses the device, since whoever configured it expects that MTU to hold.
///
/// # Errors
///
/// `EINVAL`, or `EIO` if the configuration cannot be read.
pub(crate) fn validate(device: &Negotiation<'_>) -> Result {
    for &command in COMMANDS {
        device.require(command, (CTRL_VQ, "VIRTIO_NET_F_CTRL_VQ"))?;
    }
    if device.device().has(MTU) {
        let mtu = device.device().read_config(&config::MTU)?;
        if mtu < MIN_MTU {
            dev_err!(
                device.device(),
                "device says that its MTU is {mtu}, below {MIN_MTU}: correct the device's MTU\n"
            );
            return Err(EINVAL);
        }
    }
    Ok(())
}
