// SPDX-License-Identifier: GPL-2.0

//! Offloads: what has been negotiated, as the stack and as the packets' headers need it.

mod guest;

pub(crate) use self::guest::{
    change,
    change_program,
    restore,
    resync,
    revert, //
};

use crate::{
    features,
    parameters,
    rss,
    rx,
    tx,
    VirtioNet, //
};
use kernel::{
    net::{
        self,
        Allocated,
        Features,
        SkBuff, //
    },
    prelude::*,
    virtio::{
        Device,
        Feature, //
    },
    vnet::{
        self,
        Framing,
        GsoTypes,
        Negotiated, //
    },
};

impl net::CheckFeatures for VirtioNet {
    #[inline]
    fn features_check(skb: &SkBuff, features: Features) -> Features {
        vnet::features_check(skb, features)
    }
}

impl net::SetFeatures for VirtioNet {
    fn set_features(device: &net::Device<Self>, wanted: Features) -> Result {
        change(device, wanted)?;
        rss::change(device, wanted).inspect_err(|_| revert(device, wanted))
    }
}

/// What may be received as GSO packets.
const RECEIVE: &[(Feature, GsoTypes)] = &[
    (features::GUEST_TSO4, GsoTypes::TCP_V4),
    (features::GUEST_TSO6, GsoTypes::TCP_V6),
    (features::GUEST_ECN, GsoTypes::ECN),
    (features::GUEST_UFO, GsoTypes::UDP),
    (features::GUEST_USO4, GsoTypes::UDP_L4),
    (features::GUEST_USO6, GsoTypes::UDP_L4),
];

/// What the device does with packets that are sent.
const SEND: &[(Feature, Features)] = &[
    (features::HOST_TSO4, Features::TSO),
    (features::HOST_TSO6, Features::TSO6),
    (features::HOST_ECN, Features::TSO_ECN),
    (features::HOST_USO, Features::GSO_UDP_L4),
    (features::HOST_UDP_TUNNEL_GSO, Features::GSO_UDP_TUNNEL),
];

/// What a legacy device with [`features::GSO`] does.
const LEGACY_GSO: Features = Features::TSO.and(Features::TSO6).and(Features::TSO_ECN);

/// The framing of packets.
pub(crate) fn framing(device: &Device) -> Framing {
    Framing::new(
        device,
        &Negotiated {
            mergeable: device.has(features::MRG_RXBUF),
            hash: device.has(features::HASH_REPORT),
            receive: RECEIVE
                .iter()
                .filter(|(feature, _)| device.has(*feature))
                .fold(GsoTypes::NONE, |all, (_, types)| all | *types),
            receive_tunnel: device.has(features::GUEST_UDP_TUNNEL_GSO),
            receive_tunnel_checksum: device.has(features::GUEST_UDP_TUNNEL_GSO_CSUM),
            send_tunnel: device.has(features::HOST_UDP_TUNNEL_GSO),
            exact_header_len: device.has(features::GUEST_HDRLEN),
        },
    )
}

/// Whether packets may be received that are longer than the MTU. C function:
/// `virtnet_check_guest_gso()`.
pub(crate) fn receives_gso(device: &Device) -> bool {
    RECEIVE.iter().any(|(feature, _)| device.has(*feature))
}

/// Whether the longest packet fits into the transmit rings. One that does not would be dropped each time that it is sent.
fn fits_all(device: &Device, pairs: &[(rx::Queue, tx::Queue)]) -> bool {
    match pairs.iter().map(|(_, tx)| tx.max_size()).min() {
        Some(size) if size < tx::MIN_SIZE => {
            dev_info!(
                device,
                "transmit rings of {size} descriptors: packets are sent in one piece, without segmentation\n"
            );
            false
        }
        _ => true,
    }
}

/// Translates what has been negotiated into features of the network device.
///
/// C function: `virtnet_probe()`.
pub(crate) fn set_features(
    netdev: &mut Allocated<VirtioNet>,
    device: &Device,
    pairs: &[(rx::Queue, tx::Queue)],
) {
    // Also without GUEST_CSUM: the device may say that it has checked a complete checksum.
    let mut on = Features::RXCSUM | Features::HIGHDMA;
    let mut changeable = Features::NONE;
    let mut encapsulated = Features::NONE;

    // Segmentation takes completing the checksums of the segments, and packets of several parts.
    if device.has(features::CSUM) {
        let fits_all = fits_all(device, pairs);
        let segments = |feature| fits_all && device.has(feature);
        let checksums = if fits_all {
            Features::HW_CSUM | Features::SG
        } else {
            Features::HW_CSUM
        };
        changeable = SEND
            .iter()
            .filter(|(feature, _)| segments(*feature))
            .fold(checksums, |all, (_, features)| all | *features);
        if segments(features::GSO) {
            changeable = changeable | LEGACY_GSO;
        }
        if changeable.contains(Features::GSO_UDP_TUNNEL) {
            if device.has(features::HOST_UDP_TUNNEL_GSO_CSUM) {
                changeable = changeable | Features::GSO_UDP_TUNNEL_CSUM;
            }
            encapsulated = changeable;
        }
        on = on
            | Features::GSO_ROBUST
            | match (parameters::CSUM.get(), parameters::GSO.get()) {
                (true, true) => changeable,
                (true, false) => checksums,
                (false, _) => Features::NONE,
            };
    }
    if device.has(features::GUEST_TSO4) || device.has(features::GUEST_TSO6) {
        on = on | Features::GRO_HW;
    }
    if guest::can_change(device) {
        changeable = changeable | Features::GRO_HW;
    }
    // Off at first, as in C.
    if device.has(features::HASH_REPORT) {
        changeable = changeable | Features::RXHASH;
    }
    netdev.set_features(on, changeable, encapsulated);
}
