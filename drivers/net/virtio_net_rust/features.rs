// SPDX-License-Identifier: GPL-2.0

//! The features that the driver knows (virtio 1.3, section 5.1.3).

use kernel::virtio::Feature;

/// The smallest MTU, in bytes: what IPv4 needs (`ETH_MIN_MTU`), and the spec demands of a device.
pub(crate) const MIN_MTU: u16 = 68;

/// `VIRTIO_NET_F_CSUM`: the device completes checksums of packets that are sent.
pub(crate) const CSUM: Feature = Feature::new(0);
/// `VIRTIO_NET_F_GUEST_CSUM`: packets may be received with a checksum that is not complete.
pub(crate) const GUEST_CSUM: Feature = Feature::new(1);
/// `VIRTIO_NET_F_CTRL_GUEST_OFFLOADS`: what may be received can be changed.
pub(crate) const CTRL_GUEST_OFFLOADS: Feature = Feature::new(2);
/// `VIRTIO_NET_F_MTU`: the device says what the largest MTU is.
pub(crate) const MTU: Feature = Feature::new(3);
/// `VIRTIO_NET_F_MAC`: the device has a MAC address.
pub(crate) const MAC: Feature = Feature::new(5);
/// `VIRTIO_NET_F_GSO`: a legacy device segments TCP packets of any kind.
pub(crate) const GSO: Feature = Feature::new(6);
/// `VIRTIO_NET_F_GUEST_TSO4`: TCP packets over IPv4 may be received as GSO packets.
pub(crate) const GUEST_TSO4: Feature = Feature::new(7);
/// `VIRTIO_NET_F_GUEST_TSO6`: TCP packets over IPv6 may be received as GSO packets.
pub(crate) const GUEST_TSO6: Feature = Feature::new(8);
/// `VIRTIO_NET_F_GUEST_ECN`: also those with explicit congestion notification.
pub(crate) const GUEST_ECN: Feature = Feature::new(9);
/// `VIRTIO_NET_F_GUEST_UFO`: UDP datagrams may be received before they are made IP fragments.
pub(crate) const GUEST_UFO: Feature = Feature::new(10);
/// `VIRTIO_NET_F_HOST_TSO4`: the device segments TCP packets over IPv4.
pub(crate) const HOST_TSO4: Feature = Feature::new(11);
/// `VIRTIO_NET_F_HOST_TSO6`: the device segments TCP packets over IPv6.
pub(crate) const HOST_TSO6: Feature = Feature::new(12);
/// `VIRTIO_NET_F_HOST_ECN`: also those with explicit congestion notification.
pub(crate) const HOST_ECN: Feature = Feature::new(13);
/// `VIRTIO_NET_F_HOST_UFO`: the device makes IP fragments of UDP datagrams. The stack sends none.
pub(crate) const HOST_UFO: Feature = Feature::new(14);
/// `VIRTIO_NET_F_MRG_RXBUF`: the device can spread a packet over several receive buffers.
pub(crate) const MRG_RXBUF: Feature = Feature::new(15);
/// `VIRTIO_NET_F_STATUS`: the device says whether the link is up.
pub(crate) const STATUS: Feature = Feature::new(16);
/// `VIRTIO_NET_F_CTRL_VQ`: there is a control queue.
pub(crate) const CTRL_VQ: Feature = Feature::new(17);
/// `VIRTIO_NET_F_CTRL_RX`: the device filters by addresses.
pub(crate) const CTRL_RX: Feature = Feature::new(18);
/// `VIRTIO_NET_F_CTRL_VLAN`: the device filters by VLANs.
pub(crate) const CTRL_VLAN: Feature = Feature::new(19);
/// `VIRTIO_NET_F_GUEST_ANNOUNCE`: the device says when the neighbours have to be told where it is,
/// after a migration for instance.
pub(crate) const GUEST_ANNOUNCE: Feature = Feature::new(21);
/// `VIRTIO_NET_F_MQ`: there may be several pairs of queues.
pub(crate) const MQ: Feature = Feature::new(22);
/// `VIRTIO_NET_F_CTRL_MAC_ADDR`: the MAC address is set with a command.
pub(crate) const CTRL_MAC_ADDR: Feature = Feature::new(23);
/// `VIRTIO_NET_F_DEVICE_STATS`: the device counts what its queues do.
pub(crate) const DEVICE_STATS: Feature = Feature::new(50);
/// `VIRTIO_NET_F_VQ_NOTF_COAL`: the device puts off interrupts, of each queue in its own way.
pub(crate) const VQ_NOTF_COAL: Feature = Feature::new(52);
/// `VIRTIO_NET_F_NOTF_COAL`: the device puts off interrupts, of all queues in the same way.
pub(crate) const NOTF_COAL: Feature = Feature::new(53);
/// `VIRTIO_NET_F_GUEST_USO4`: several UDP datagrams over IPv4 may be received as one packet.
pub(crate) const GUEST_USO4: Feature = Feature::new(54);
/// `VIRTIO_NET_F_GUEST_USO6`: several UDP datagrams over IPv6 may be received as one packet.
pub(crate) const GUEST_USO6: Feature = Feature::new(55);
/// `VIRTIO_NET_F_HOST_USO`: the device segments several UDP datagrams.
pub(crate) const HOST_USO: Feature = Feature::new(56);
/// `VIRTIO_NET_F_HASH_REPORT`: packets are received with a hash.
pub(crate) const HASH_REPORT: Feature = Feature::new(57);
/// `VIRTIO_NET_F_GUEST_HDRLEN`: the device relies on the length of the headers that is given with a
/// GSO packet.
pub(crate) const GUEST_HDRLEN: Feature = Feature::new(59);
/// `VIRTIO_NET_F_RSS`: the device chooses a receive queue by a hash and a table that it is given.
pub(crate) const RSS: Feature = Feature::new(60);
/// `VIRTIO_NET_F_STANDBY`: the device stands by for another NIC of the same MAC address.
pub(crate) const STANDBY: Feature = Feature::new(62);
/// `VIRTIO_NET_F_SPEED_DUPLEX`: the device says how fast the link is.
pub(crate) const SPEED_DUPLEX: Feature = Feature::new(63);
/// `VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO`: GSO packets in a UDP tunnel may be received.
pub(crate) const GUEST_UDP_TUNNEL_GSO: Feature = Feature::new(65);
/// `VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO_CSUM`: also with an outer checksum.
pub(crate) const GUEST_UDP_TUNNEL_GSO_CSUM: Feature = Feature::new(66);
/// `VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO`: the device segments packets in a UDP tunnel.
pub(crate) const HOST_UDP_TUNNEL_GSO: Feature = Feature::new(67);
/// `VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO_CSUM`: also with an outer checksum.
pub(crate) const HOST_UDP_TUNNEL_GSO_CSUM: Feature = Feature::new(68);

/// The features of which both kinds of device can have any.
macro_rules! with_common {
    ($($more:expr),+ $(,)?) => {
        &[
            CSUM, GUEST_CSUM, CTRL_GUEST_OFFLOADS, MTU, MAC, GUEST_TSO4, GUEST_TSO6, GUEST_ECN,
            GUEST_UFO, HOST_TSO4, HOST_TSO6, HOST_ECN, HOST_UFO, MRG_RXBUF, STATUS, CTRL_VQ,
            CTRL_RX, CTRL_VLAN, GUEST_ANNOUNCE, MQ, CTRL_MAC_ADDR, GUEST_USO4, GUEST_USO6,
            HOST_USO, HASH_REPORT, GUEST_HDRLEN, $($more),+
        ]
    };
}

/// The features of a device that follows virtio 1.0 or later.
pub(crate) const MODERN: &[Feature] = with_common![
    DEVICE_STATS,
    VQ_NOTF_COAL,
    NOTF_COAL,
    RSS,
    STANDBY,
    SPEED_DUPLEX,
    GUEST_UDP_TUNNEL_GSO,
    GUEST_UDP_TUNNEL_GSO_CSUM,
    HOST_UDP_TUNNEL_GSO,
    HOST_UDP_TUNNEL_GSO_CSUM,
];

/// The features of a legacy device.
pub(crate) const LEGACY: &[Feature] = with_common![GSO, Feature::ANY_LAYOUT];
