// SPDX-License-Identifier: GPL-2.0

//! A packet of an AF_XDP socket that is to be sent, with its header.

use super::{
    Framing,
    Packet,
    WITH_TUNNEL, //
};
use core::{
    ffi::c_void,
    ptr::{
        without_provenance_mut,
        NonNull, //
    },
};
use dma::{
    sg,
    OutgoingPremapped, //
};
use kernel::prelude::*;
use netdev::{
    XskDesc,
    XskSent,
    XskSource, //
};

/// The bit that is set in the token of such a packet, of which there is a number and no address.
pub(crate) const XSK: usize = 2;

/// How many bits of a token say what it is.
const KIND_BITS: u32 = 2;

/// What a token says that has [`XSK`] set.
#[inline]
pub(crate) fn sent(addr: usize) -> XskSent {
    XskSent::from_addr(addr, KIND_BITS)
}

/// A packet of an AF_XDP socket, with its header.
pub struct XskPacket<'a> {
    desc: XskDesc<'a>,
    header_len: u8,
    /// What the header says, if it has a place of its own.
    header: Option<[u8; WITH_TUNNEL]>,
}

impl<'a> XskPacket<'a> {
    /// Gives the packet a header that says nothing: it is sent as it is.
    #[inline]
    pub fn new(desc: XskDesc<'a>, framing: &Framing) -> Self {
        Self {
            desc,
            header_len: framing.len,
            header: None,
        }
    }

    /// Gives the packet a header that says what the socket has requested with it
    /// ([`XskTx::takes_requests`](netdev::XskTx::takes_requests)).
    #[inline]
    pub fn with_request(desc: XskDesc<'a>, framing: &Framing) -> Self {
        let header = desc.checksum().map_or([0; WITH_TUNNEL], |checksum| {
            framing.with_checksum(checksum.start(), checksum.offset())
        });
        Self {
            desc,
            header_len: framing.len,
            header: Some(header),
        }
    }
}

// SAFETY: The token is a number, by its lowest bits, which `Packet` disposes of by forgetting it. The descriptor knows what it
// belongs to.
unsafe impl OutgoingPremapped<Packet> for XskPacket<'_> {
    #[inline]
    fn is_of(&self, source: &XskSource) -> bool {
        self.desc.is_of(source)
    }

    #[inline(always)]
    fn map(&self, table: &mut sg::Table) -> Result<sg::Mapped> {
        match &self.header {
            None => self.desc.map(self.header_len.into(), table),
            Some(header) => {
                let header = header.get(..self.header_len.into()).ok_or(EMSGSIZE)?;
                self.desc.map_behind(header, table)
            }
        }
    }

    #[inline]
    fn into_token(self) -> NonNull<c_void> {
        let addr = self.desc.into_sent().to_addr(KIND_BITS) | XSK;
        // SAFETY: A bit is set.
        unsafe { NonNull::new_unchecked(without_provenance_mut(addr)) }
    }
}
