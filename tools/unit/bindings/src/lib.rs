// SPDX-License-Identifier: GPL-2.0

//! Of `include/uapi/linux/virtio_net.h`, what the sources under test name.

#![allow(missing_docs, non_upper_case_globals, non_camel_case_types)]

pub const VIRTIO_NET_HDR_GSO_NONE: u32 = 0;
pub const VIRTIO_NET_HDR_GSO_TCPV4: u32 = 1;
pub const VIRTIO_NET_HDR_GSO_UDP: u32 = 3;
pub const VIRTIO_NET_HDR_GSO_TCPV6: u32 = 4;
pub const VIRTIO_NET_HDR_GSO_UDP_L4: u32 = 5;
pub const VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV4: u32 = 0x20;
pub const VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV6: u32 = 0x40;
pub const VIRTIO_NET_HDR_GSO_ECN: u32 = 0x80;

pub const VIRTIO_NET_HDR_F_NEEDS_CSUM: u32 = 1;

pub const VIRTIO_NET_HASH_REPORT_IPv4: u32 = 1;
pub const VIRTIO_NET_HASH_REPORT_TCPv4: u32 = 2;
pub const VIRTIO_NET_HASH_REPORT_UDPv4: u32 = 3;
pub const VIRTIO_NET_HASH_REPORT_IPv6: u32 = 4;
pub const VIRTIO_NET_HASH_REPORT_TCPv6: u32 = 5;
pub const VIRTIO_NET_HASH_REPORT_UDPv6: u32 = 6;

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct virtio_net_hdr {
    pub flags: u8,
    pub gso_type: u8,
    pub hdr_len: u16,
    pub gso_size: u16,
    pub csum_start: u16,
    pub csum_offset: u16,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct virtio_net_hdr_mrg_rxbuf {
    pub hdr: virtio_net_hdr,
    pub num_buffers: u16,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct virtio_net_hdr_v1 {
    pub flags: u8,
    pub gso_type: u8,
    pub hdr_len: u16,
    pub gso_size: u16,
    pub csum_start: u16,
    pub csum_offset: u16,
    pub num_buffers: u16,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct virtio_net_hdr_v1_hash {
    pub hdr: virtio_net_hdr_v1,
    pub hash_value_lo: u16,
    pub hash_value_hi: u16,
    pub hash_report: u16,
    pub padding: u16,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct virtio_net_hdr_v1_hash_tunnel {
    pub hash_hdr: virtio_net_hdr_v1_hash,
    pub outer_th_offset: u16,
    pub inner_nh_offset: u16,
}
