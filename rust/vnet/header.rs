// SPDX-License-Identifier: GPL-2.0

//! The header of a received packet.

use super::{
    framing::reported_hash,
    Framing,
    RawHeader, //
};
use crate::bindings;
use core::mem::size_of;
use netdev::{
    Features,
    ForProgram,
    Frame,
    HashType,
    Napi,
    Polling,
    RxSkb,
    SkBuff, //
};

/// Hands a packet, which starts with an Ethernet header, to the stack, as `header` describes it.
///
/// C function: `virtnet_receive_done()`.
///
/// # Errors
///
/// The packet comes back if its first buffer has less than an Ethernet header, or if `header`
/// contradicts it.
#[inline]
pub fn deliver(
    skb: RxSkb,
    polling: &Polling<'_>,
    framing: &Framing,
    mut header: Header,
) -> Result<(), SkBuff> {
    let mut frame = skb.into_frame()?;
    header.apply_hash(&mut frame, polling, framing);
    if !header.apply(&mut frame, polling.napi(), framing) {
        return Err(frame.into_skb());
    }
    frame.deliver(polling);
    Ok(())
}

/// The hash that a header reports, and of what it is.
fn hash_for_program(header: &bindings::virtio_net_hdr_v1_hash) -> Option<(u32, HashType)> {
    let (value, _) = reported_hash(header)?;
    let kind = match u32::from(u16::from_le(header.hash_report)) {
        bindings::VIRTIO_NET_HASH_REPORT_TCPv4 => HashType::IPV4 | HashType::TCP,
        bindings::VIRTIO_NET_HASH_REPORT_UDPv4 => HashType::IPV4 | HashType::UDP,
        bindings::VIRTIO_NET_HASH_REPORT_TCPv6 => HashType::IPV6 | HashType::TCP,
        bindings::VIRTIO_NET_HASH_REPORT_UDPv6 => HashType::IPV6 | HashType::UDP,
        bindings::VIRTIO_NET_HASH_REPORT_IPv4 => HashType::IPV4,
        bindings::VIRTIO_NET_HASH_REPORT_IPv6 => HashType::IPV6,
        _ => return None,
    };
    Some((value, kind))
}

/// A copy of the header that came with a packet.
#[derive(Clone, Copy)]
pub struct Header(RawHeader);

impl Header {
    /// The length of the longest header, in bytes.
    pub const LEN: usize = size_of::<RawHeader>();

    /// The header that a received packet begins with, of the bytes at the start of its buffer.
    ///
    /// Where the header is a short one, the fields that it lacks have the value of the bytes that
    /// follow.
    #[inline(always)]
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        // SAFETY: All fields are integers, for which any bytes are valid; the size is the same.
        Self(unsafe { core::mem::transmute::<[u8; Self::LEN], RawHeader>(bytes) })
    }

    /// The number of buffers that the packet takes. It is what the device says: any number.
    #[inline]
    pub fn num_buffers(&self, framing: &Framing) -> u16 {
        framing.num_buffers(&self.0)
    }

    /// Whether the packet takes one buffer only.
    #[inline]
    pub fn is_whole(&self, framing: &Framing) -> bool {
        framing.is_whole(&self.0)
    }

    /// Whether the packet is a GSO packet of a type (`gso_type`) that has not been negotiated.
    #[inline]
    pub fn has_unnegotiated_gso(&self, framing: &Framing) -> bool {
        framing.has_unnegotiated_gso(&self.0)
    }

    /// Whether the packet is what an XDP program may see: it is not a GSO packet, and its checksum is complete.
    #[inline]
    pub fn is_plain(&self) -> bool {
        let header = &self.0.hash_hdr.hdr;
        u32::from(header.gso_type) == bindings::VIRTIO_NET_HDR_GSO_NONE
            && u32::from(header.flags) & bindings::VIRTIO_NET_HDR_F_NEEDS_CSUM == 0
    }

    /// Lets an XDP program know the hash that the device reports, if that is wanted.
    #[inline]
    pub fn tell_hash(
        &self,
        packet: &mut impl ForProgram,
        polling: &Polling<'_>,
        framing: &Framing,
    ) {
        if let Some((value, kind)) = self.hash_for_program(polling, framing) {
            packet.set_hash(value, kind);
        }
    }

    #[inline]
    fn hash_for_program(
        &self,
        polling: &Polling<'_>,
        framing: &Framing,
    ) -> Option<(u32, HashType)> {
        if !framing.hash || !polling.features().contains(Features::RXHASH) {
            return None;
        }
        hash_for_program(&self.0.hash_hdr)
    }

    /// Gives `frame` the hash that the device reports, if that is wanted.
    #[inline]
    fn apply_hash(&self, frame: &mut Frame, polling: &Polling<'_>, framing: &Framing) {
        if !framing.hash {
            return;
        }
        if !polling.features().contains(Features::RXHASH) {
            return;
        }
        let Some((hash, of_ports)) = reported_hash(&self.0.hash_hdr) else {
            return;
        };
        // SAFETY: The packet is valid and owned.
        unsafe { bindings::skb_set_hash_of(frame.as_raw(), hash, of_ports) }
    }

    /// Makes `frame`, which `napi` has received, what the header says. Returns whether it can be.
    #[inline]
    fn apply(&mut self, frame: &mut Frame, napi: &Napi, framing: &Framing) -> bool {
        // SAFETY: The packet is valid and owned by the receive path, and so is the device of a NAPI
        // context that is being polled. The helper reads the tunnel's fields only if they are
        // there.
        let error = unsafe {
            bindings::virtio_net_hdr_to_skb(
                frame.as_raw(),
                napi.dev(),
                &mut self.0,
                framing.little_endian,
                framing.receive_tunnel,
                framing.receive_tunnel_checksum,
            )
        };
        error == 0
    }
}
