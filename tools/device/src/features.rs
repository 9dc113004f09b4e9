// SPDX-License-Identifier: GPL-2.0

//! The numbers of features (virtio 1.3, sections 5.1.3 and 6, and 1.4 for tunnels), by the names that they have
//! there.

macro_rules! numbers {
    ($($name:ident = $number:literal),* $(,)?) => {
        $(#[doc = concat!("`", stringify!($name), "`")] pub const $name: u32 = $number;)*
    };
}

numbers! {
    CSUM = 0,
    GUEST_CSUM = 1,
    CTRL_GUEST_OFFLOADS = 2,
    MTU = 3,
    MAC = 5,
    GUEST_TSO4 = 7,
    GUEST_TSO6 = 8,
    GUEST_ECN = 9,
    GUEST_UFO = 10,
    HOST_TSO4 = 11,
    HOST_TSO6 = 12,
    HOST_ECN = 13,
    HOST_UFO = 14,
    MRG_RXBUF = 15,
    CTRL_VQ = 17,
    CTRL_RX = 18,
    CTRL_VLAN = 19,
    CTRL_RX_EXTRA = 20,
    GUEST_ANNOUNCE = 21,
    MQ = 22,
    CTRL_MAC_ADDR = 23,
    INDIRECT_DESC = 28,
    EVENT_IDX = 29,
    VERSION_1 = 32,
    RING_PACKED = 34,
    RING_RESET = 40,
    DEVICE_STATS = 50,
    VQ_NOTF_COAL = 52,
    NOTF_COAL = 53,
    GUEST_USO4 = 54,
    GUEST_USO6 = 55,
    HOST_USO = 56,
    HASH_REPORT = 57,
    GUEST_HDRLEN = 59,
    RSS = 60,
    GUEST_UDP_TUNNEL_GSO = 65,
    GUEST_UDP_TUNNEL_GSO_CSUM = 66,
    HOST_UDP_TUNNEL_GSO = 67,
    HOST_UDP_TUNNEL_GSO_CSUM = 68,
}

/// Each feature that needs another, and those of which it needs one (section 5.1.3.1).
pub const NEEDS: &[(u32, &[u32])] = &[
    (GUEST_TSO4, &[GUEST_CSUM]),
    (GUEST_TSO6, &[GUEST_CSUM]),
    (GUEST_ECN, &[GUEST_TSO4, GUEST_TSO6]),
    (GUEST_UFO, &[GUEST_CSUM]),
    (GUEST_USO4, &[GUEST_CSUM]),
    (GUEST_USO6, &[GUEST_CSUM]),
    (HOST_TSO4, &[CSUM]),
    (HOST_TSO6, &[CSUM]),
    (HOST_ECN, &[HOST_TSO4, HOST_TSO6]),
    (HOST_UFO, &[CSUM]),
    (HOST_USO, &[CSUM]),
    (GUEST_UDP_TUNNEL_GSO, &[GUEST_TSO4]),
    (GUEST_UDP_TUNNEL_GSO, &[GUEST_TSO6]),
    (GUEST_UDP_TUNNEL_GSO, &[GUEST_USO4]),
    (GUEST_UDP_TUNNEL_GSO, &[GUEST_USO6]),
    (GUEST_UDP_TUNNEL_GSO_CSUM, &[GUEST_UDP_TUNNEL_GSO]),
    (HOST_UDP_TUNNEL_GSO, &[HOST_TSO4]),
    (HOST_UDP_TUNNEL_GSO, &[HOST_TSO6]),
    (HOST_UDP_TUNNEL_GSO, &[HOST_USO]),
    (HOST_UDP_TUNNEL_GSO_CSUM, &[HOST_UDP_TUNNEL_GSO]),
    (CTRL_RX, &[CTRL_VQ]),
    (CTRL_VLAN, &[CTRL_VQ]),
    (GUEST_ANNOUNCE, &[CTRL_VQ]),
    (MQ, &[CTRL_VQ]),
    (CTRL_MAC_ADDR, &[CTRL_VQ]),
    (NOTF_COAL, &[CTRL_VQ]),
    (VQ_NOTF_COAL, &[CTRL_VQ]),
    (RSS, &[CTRL_VQ]),
];

/// The same for what the driver should keep to (section 5.1.4.2).
pub const SHOULD_NEED: &[(u32, &[u32])] = &[(HASH_REPORT, &[CTRL_VQ]), (CTRL_RX_EXTRA, &[CTRL_VQ])];

/// By what bits of a command these features are offloads: `VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO_MAPPED` and so on.
pub const GUEST_OFFLOADS: &[(u32, u32)] =
    &[(GUEST_UDP_TUNNEL_GSO, 46), (GUEST_UDP_TUNNEL_GSO_CSUM, 47)];

/// What makes headers have places in tunnels.
pub const TUNNELS: &[u32] = &[GUEST_UDP_TUNNEL_GSO, HOST_UDP_TUNNEL_GSO];

/// By which GSO packets may be received.
pub const GUEST_GSO: &[u32] = &[GUEST_TSO4, GUEST_TSO6, GUEST_UFO, GUEST_USO4, GUEST_USO6];

/// Whether a feature is in a mask.
pub fn has(mask: u128, feature: u32) -> bool {
    (mask >> feature) & 1 == 1
}

/// Whether one of several is.
pub fn has_any(mask: u128, features: &[u32]) -> bool {
    features.iter().any(|feature| has(mask, *feature))
}
