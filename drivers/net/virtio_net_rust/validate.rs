// SPDX-License-Identifier: GPL-2.0

//! What of a device's features is taken (virtio 1.3, sections 5.1.3.1 and 5.1.4).
//!
//! A feature that makes no sense is done without, after a line in the log that names it: a guest without a
//! network is worse than one without a feature.

use crate::{
    channels,
    config,
    features::*,
    rss,
    standby, //
};
use kernel::{
    prelude::*,
    virtio::{
        config::{
            Field,
            Value, //
        },
        Feature,
        Negotiation, //
    },
};

/// What a device must not offer without [`CTRL_VQ`]: the features that are commands.
const COMMANDS: &[(Feature, &str)] = &[
    (CTRL_RX, "VIRTIO_NET_F_CTRL_RX"),
    (CTRL_VLAN, "VIRTIO_NET_F_CTRL_VLAN"),
    (GUEST_ANNOUNCE, "VIRTIO_NET_F_GUEST_ANNOUNCE"),
    (MQ, "VIRTIO_NET_F_MQ"),
    (CTRL_MAC_ADDR, "VIRTIO_NET_F_CTRL_MAC_ADDR"),
    (DEVICE_STATS, "VIRTIO_NET_F_DEVICE_STATS"),
    (VQ_NOTF_COAL, "VIRTIO_NET_F_VQ_NOTF_COAL"),
    (NOTF_COAL, "VIRTIO_NET_F_NOTF_COAL"),
    (HASH_REPORT, "VIRTIO_NET_F_HASH_REPORT"),
    (RSS, "VIRTIO_NET_F_RSS"),
];

/// What a device must not offer, and the driver not take, without any of others: these come first. What
/// something depends on that depends on something itself comes later.
const NEEDS: &[(&[Feature], &[Feature])] = &[
    (
        &[GUEST_CSUM],
        &[GUEST_TSO4, GUEST_TSO6, GUEST_UFO, GUEST_USO4, GUEST_USO6],
    ),
    (&[GUEST_TSO4, GUEST_TSO6], &[GUEST_ECN]),
    (&[CSUM], &[HOST_TSO4, HOST_TSO6, HOST_UFO, HOST_USO]),
    (&[HOST_TSO4, HOST_TSO6], &[HOST_ECN]),
    // A GSO packet in a tunnel may be of any type that there is outside of one.
    (&[GUEST_TSO4], &[GUEST_UDP_TUNNEL_GSO]),
    (&[GUEST_TSO6], &[GUEST_UDP_TUNNEL_GSO]),
    (&[GUEST_USO4], &[GUEST_UDP_TUNNEL_GSO]),
    (&[GUEST_USO6], &[GUEST_UDP_TUNNEL_GSO]),
    (&[GUEST_UDP_TUNNEL_GSO], &[GUEST_UDP_TUNNEL_GSO_CSUM]),
    (&[HOST_TSO4], &[HOST_UDP_TUNNEL_GSO]),
    (&[HOST_TSO6], &[HOST_UDP_TUNNEL_GSO]),
    (&[HOST_USO], &[HOST_UDP_TUNNEL_GSO]),
    (&[HOST_UDP_TUNNEL_GSO], &[HOST_UDP_TUNNEL_GSO_CSUM]),
];

/// Refuses a device that takes no commands but has features that are commands, with one line in the log. Does
/// without any other feature that contradicts itself, or what else the device says.
///
/// C functions: `virtnet_validate()`, `virtnet_validate_features()`.
///
/// # Errors
///
/// `EINVAL`, or `EIO` if the configuration cannot be read.
pub(crate) fn validate(device: &Negotiation<'_>) -> Result {
    if !device.offers(CTRL_VQ) {
        for &command in COMMANDS {
            device.require(command, (CTRL_VQ, "VIRTIO_NET_F_CTRL_VQ"))?;
        }
    }
    for &(needs, dependent) in NEEDS {
        device.drop_without(needs, dependent);
    }
    check_room(device);
    check_mtu(device)?;
    check_pairs(device)?;
    check_hashes(device)?;
    standby::check(device);
    Ok(())
}

/// Does without what the device's configuration has no room for.
fn check_room(device: &Negotiation<'_>) {
    fn check<T: Value>(device: &Negotiation<'_>, field: &Field<T>, features: &[(Feature, &str)]) {
        for &(feature, name) in features {
            if device.device().has(feature) && !device.has_room(field) {
                dev_warn!(
                    device.device(),
                    "device's configuration is too short for {name}: doing without it\n"
                );
                device.drop(feature);
            }
        }
    }
    const HASHES: &[(Feature, &str)] = &[
        (RSS, "VIRTIO_NET_F_RSS"),
        (HASH_REPORT, "VIRTIO_NET_F_HASH_REPORT"),
    ];
    check(device, &config::MAC, &[(MAC, "VIRTIO_NET_F_MAC")]);
    check(device, &config::STATUS, &[(STATUS, "VIRTIO_NET_F_STATUS")]);
    check(
        device,
        &config::MAX_VIRTQUEUE_PAIRS,
        &[(MQ, "VIRTIO_NET_F_MQ")],
    );
    check(device, &config::MTU, &[(MTU, "VIRTIO_NET_F_MTU")]);
    check(
        device,
        &config::DUPLEX,
        &[(SPEED_DUPLEX, "VIRTIO_NET_F_SPEED_DUPLEX")],
    );
    // The last of their fields.
    check(device, &config::SUPPORTED_HASH_TYPES, HASHES);
}

/// Does without a largest MTU that is too small.
fn check_mtu(device: &Negotiation<'_>) -> Result {
    if !device.device().has(MTU) {
        return Ok(());
    }
    let mtu = device.device().read_config(&config::MTU)?;
    if mtu < MIN_MTU {
        dev_warn!(
            device.device(),
            "device says that its MTU is {mtu}, below {MIN_MTU}: doing without VIRTIO_NET_F_MTU\n"
        );
        device.drop(MTU);
    }
    Ok(())
}

/// Does without several queues if there is a number of them that cannot be, as C does.
///
/// Of more than can be used, the control queue comes behind all. The transport sets up no queue without those
/// before it, and by default the device uses one pair. So commands are done without then.
fn check_pairs(device: &Negotiation<'_>) -> Result {
    let virtio = device.device();
    if !virtio.has(MQ) && !virtio.has(RSS) {
        return Ok(());
    }
    let pairs = virtio.read_config(&config::MAX_VIRTQUEUE_PAIRS)?;
    if channels::USABLE.contains(&pairs) {
        return Ok(());
    }
    if channels::POSSIBLE.contains(&pairs) {
        dev_warn!(
            virtio,
            "device says that it has {pairs} pairs of queues, more than {}: doing without VIRTIO_NET_F_CTRL_VQ, \
             whose queue is behind them\n",
            channels::USABLE.end()
        );
        device.drop(CTRL_VQ);
        COMMANDS.iter().for_each(|command| device.drop(command.0));
    } else {
        dev_warn!(
            virtio,
            "device says that it has {pairs} pairs of queues: doing without VIRTIO_NET_F_MQ\n"
        );
        device.drop(MQ);
        device.drop(RSS);
    }
    Ok(())
}

/// Does without hashes that cannot be.
fn check_hashes(device: &Negotiation<'_>) -> Result {
    let virtio = device.device();
    if !virtio.has(RSS) && !virtio.has(HASH_REPORT) {
        return Ok(());
    }
    let [key] = virtio.read_config(&config::RSS_MAX_KEY_SIZE)?;
    if key < rss::MIN_KEY {
        dev_warn!(
            virtio,
            "device says that its keys for hashes have {key} bytes, not {} or more: doing without VIRTIO_NET_F_RSS \
             and VIRTIO_NET_F_HASH_REPORT\n",
            rss::MIN_KEY
        );
        device.drop(RSS);
        device.drop(HASH_REPORT);
        return Ok(());
    }
    if virtio.has(RSS) && virtio.read_config(&config::RSS_MAX_INDIRECTION_TABLE_LENGTH)? == 0 {
        dev_warn!(
            virtio,
            "device says that its indirection table has no entries: doing without VIRTIO_NET_F_RSS\n"
        );
        device.drop(RSS);
    }
    Ok(())
}
