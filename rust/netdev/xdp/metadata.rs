// SPDX-License-Identifier: GPL-2.0

//! What programs that are loaded for one device can ask of a packet, beside its data (kfuncs `bpf_xdp_metadata_*`).

use super::buff::Buff;
use crate::{
    bindings,
    Allocated,
    Xdp, //
};
use core::ops::BitOr;
use kernel::prelude::*;

/// What a hash has been computed of (`enum xdp_rss_hash_type`).
#[derive(Clone, Copy)]
pub struct HashType(bindings::xdp_rss_hash_type);

impl HashType {
    /// IPv4 addresses.
    pub const IPV4: Self = Self(bindings::xdp_rss_hash_type_XDP_RSS_L3_IPV4);
    /// IPv6 addresses.
    pub const IPV6: Self = Self(bindings::xdp_rss_hash_type_XDP_RSS_L3_IPV6);
    /// TCP ports too.
    pub const TCP: Self =
        Self(bindings::xdp_rss_hash_type_XDP_RSS_L4 | bindings::xdp_rss_hash_type_XDP_RSS_L4_TCP);
    /// UDP ports too.
    pub const UDP: Self =
        Self(bindings::xdp_rss_hash_type_XDP_RSS_L4 | bindings::xdp_rss_hash_type_XDP_RSS_L4_UDP);
}

impl BitOr for HashType {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A packet on its way through a program, which may ask what is known of it beside its data.
pub trait ForProgram {
    /// Lets programs know the hash of the packet.
    fn set_hash(&mut self, value: u32, kind: HashType);
}

/// The hash of a packet, of which there may be none.
#[derive(Clone, Copy, Default)]
pub(crate) struct Hash {
    value: u32,
    /// 0 if there is none.
    kind: bindings::xdp_rss_hash_type,
}

impl Hash {
    #[inline]
    pub(crate) fn of(value: u32, kind: HashType) -> Self {
        Self {
            value,
            kind: kind.0,
        }
    }
}

static OPS: bindings::xdp_metadata_ops = bindings::xdp_metadata_ops {
    xmo_rx_hash: Some(rx_hash),
    xmo_rx_timestamp: None,
    xmo_rx_vlan_tag: None,
};

impl<T: Xdp> Allocated<T> {
    /// Says that programs can ask for the hash of a packet, see [`XdpBuff::set_hash`](super::XdpBuff::set_hash).
    pub fn offer_xdp_hash(&mut self) {
        self.fields().xdp_metadata_ops = &OPS;
    }
}

/// `xmo_rx_hash`: called by a program.
///
/// # Safety
///
/// `context` is what the program has been run with, and the others are valid for writes. A program that may call this has been
/// loaded for a device of this crate, and is run by that device only: with a [`Buff`], or with what begins like one.
unsafe extern "C" fn rx_hash(
    context: *const bindings::xdp_md,
    value: *mut u32,
    kind: *mut bindings::xdp_rss_hash_type,
) -> c_int {
    // SAFETY: By the requirement of this function.
    unsafe {
        let hash = (*context.cast::<Buff>()).hash;
        if hash.kind == 0 {
            return -(bindings::ENODATA as c_int);
        }
        value.write(hash.value);
        kind.write(hash.kind);
    }
    0
}
