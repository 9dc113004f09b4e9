// SPDX-License-Identifier: GPL-2.0

//! Of `include/uapi/linux/virtio_net.h`, what the sources under test name.

#![allow(missing_docs, non_upper_case_globals)]

pub const VIRTIO_NET_HDR_GSO_TCPV4: u32 = 1;
pub const VIRTIO_NET_HDR_GSO_UDP: u32 = 3;
pub const VIRTIO_NET_HDR_GSO_TCPV6: u32 = 4;
pub const VIRTIO_NET_HDR_GSO_UDP_L4: u32 = 5;
pub const VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV4: u32 = 0x20;
pub const VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV6: u32 = 0x40;
pub const VIRTIO_NET_HDR_GSO_ECN: u32 = 0x80;
