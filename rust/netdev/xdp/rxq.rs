// SPDX-License-Identifier: GPL-2.0

//! What programs are told of a receive queue, and where its buffers are returned to.

use crate::{
    bindings,
    Napi, //
};
use core::ptr::NonNull;
use dma::fault;
use kernel::{
    error::to_result,
    prelude::*,
    types::Opaque, //
};

/// `struct xdp_rxq_info` of a queue whose buffers come from a page_pool, or from a pool of AF_XDP.
///
/// # Invariants
///
/// It is registered: for buffers of a page_pool, of which it is a user, or for those of a pool of AF_XDP.
pub(crate) struct RxqInfo(KBox<Opaque<bindings::xdp_rxq_info>>);

impl RxqInfo {
    /// Registers the queue of `napi`, whose buffers come from `pool`. Process context. May sleep.
    ///
    /// # Safety
    ///
    /// `pool` is a page_pool. The network device of `napi` is there for as long as the value.
    pub(crate) unsafe fn new(pool: NonNull<bindings::page_pool>, napi: &Napi) -> Result<Self> {
        fault::point("XDP queue")?;
        let info = KBox::new(Opaque::zeroed(), GFP_KERNEL)?;
        // SAFETY: It is zeroed, and has an address that does not change. The rest is the requirement of this function.
        to_result(unsafe {
            bindings::xdp_rxq_info_reg_pool(
                info.get(),
                napi.dev(),
                napi.index().into(),
                pool.as_ptr(),
            )
        })?;
        // INVARIANT: It has just been registered.
        Ok(Self(info))
    }

    /// Registers the queue of `napi`, whose buffers come from a pool of AF_XDP. Process context. May sleep.
    ///
    /// # Safety
    ///
    /// The network device of `napi` is there for as long as the value.
    pub(crate) unsafe fn for_xsk(napi: &Napi) -> Result<Self> {
        fault::point("XSK queue")?;
        let info = KBox::new(Opaque::zeroed(), GFP_KERNEL)?;
        // SAFETY: It is zeroed, and has an address that does not change. The rest is the requirement of this function.
        to_result(unsafe {
            bindings::xdp_rxq_info_reg_xsk(info.get(), napi.dev(), napi.index().into())
        })?;
        // INVARIANT: It has just been registered.
        Ok(Self(info))
    }

    #[inline]
    pub(crate) fn as_raw(&self) -> *mut bindings::xdp_rxq_info {
        self.0.get()
    }
}

impl Drop for RxqInfo {
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::xdp_rxq_info_unreg(self.as_raw()) }
    }
}
