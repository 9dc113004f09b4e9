// SPDX-License-Identifier: GPL-2.0

//! What user space asks a device to do with a packet (`XDP_TX_METADATA`).
//!
//! It says so in front of the packet, where it may write at any time. The kernel's own function reads it, each field once, and
//! calls an operation for each request that a device has one for. What it does not know it passes over, and the packet is sent as it is.

use super::{
    Xsk,
    XskDesc, //
};
use crate::{
    bindings,
    Allocated, //
};
use core::{
    ffi::c_void,
    ptr::from_mut, //
};

/// A checksum that a device is to complete (`XDP_TXMD_FLAGS_CHECKSUM`): of all that follows `start`, with what is in its place until then.
#[derive(Clone, Copy)]
pub struct XskChecksum {
    start: u16,
    offset: u16,
}

impl XskChecksum {
    /// How long a checksum is, in bytes.
    const LEN: u32 = 2;

    /// Where in the packet it begins to be computed, in bytes.
    #[inline]
    pub fn start(&self) -> u16 {
        self.start
    }

    /// Where it is put, in bytes from there.
    #[inline]
    pub fn offset(&self) -> u16 {
        self.offset
    }

    /// Whether its place is in the first `len` bytes of the packet.
    fn is_within(&self, len: u32) -> bool {
        let place = u32::from(self.start).wrapping_add(self.offset.into());
        place.wrapping_add(Self::LEN) <= len
    }
}

static OPS: bindings::xsk_tx_metadata_ops = bindings::xsk_tx_metadata_ops {
    tmo_request_timestamp: None,
    tmo_fill_timestamp: None,
    tmo_request_checksum: Some(request_checksum),
    tmo_request_launch_time: None,
};

impl<T: Xsk> Allocated<T> {
    /// Says that the device completes checksums of packets of AF_XDP, see [`XskDesc::checksum`].
    pub fn offer_xsk_checksum(&mut self) {
        self.fields().xsk_tx_metadata_ops = &OPS;
    }
}

impl XskDesc<'_> {
    /// The checksum that user space wants completed, if it wants that, and if the checksum's place is in the first chunk of the packet.
    ///
    /// User space may have changed its mind when this is asked again. C function: `xsk_tx_metadata_request()`.
    pub fn checksum(&self) -> Option<XskChecksum> {
        let mut wanted = None::<XskChecksum>;
        let (raw, index, len) = self.first();
        // SAFETY: The pool is open. The core keeps the descriptor, and has checked that what lies in front of the packet is in the pool too.
        // The operation gets what it is to get.
        unsafe { bindings::xsk_tx_request(raw, index, &OPS, from_mut(&mut wanted).cast()) };
        wanted.filter(|checksum| checksum.is_within(len))
    }
}

/// `tmo_request_checksum`.
///
/// # Safety
///
/// `wanted` is the place for an `Option<XskChecksum>`, which nobody else uses.
unsafe extern "C" fn request_checksum(start: u16, offset: u16, wanted: *mut c_void) {
    let checksum = XskChecksum { start, offset };
    // SAFETY: By the requirement of this function.
    unsafe { wanted.cast::<Option<XskChecksum>>().write(Some(checksum)) };
}
