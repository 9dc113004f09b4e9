// SPDX-License-Identifier: GPL-2.0

//! A packet that XDP sends.

use crate::{
    bindings,
    not_supported,
    PoolBuffer,
    ETH_HLEN,
    VLAN_HLEN, //
};
use core::{
    ffi::c_void,
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use dma::Incoming;
use kernel::prelude::*;

/// A packet that XDP sends: a `struct xdp_frame`, which lies in front of the data.
///
/// Its memory is returned to where it comes from, which may be another driver's pool, when it is dropped.
///
/// # Invariants
///
/// The frame is valid and owned.
pub struct XdpFrame(NonNull<bindings::xdp_frame>);

// SAFETY: A frame may be returned by any thread.
unsafe impl Send for XdpFrame {}

impl XdpFrame {
    /// # Safety
    ///
    /// `raw` is a valid frame, which passes to the new value.
    #[inline]
    pub unsafe fn from_raw(raw: NonNull<bindings::xdp_frame>) -> Self {
        // INVARIANT: By the requirement of this function.
        Self(raw)
    }

    /// The frame, for functions of C.
    #[inline]
    pub fn as_raw(&self) -> *mut bindings::xdp_frame {
        self.0.as_ptr()
    }

    /// Passes the frame to the caller.
    #[inline]
    pub fn into_raw(self) -> NonNull<bindings::xdp_frame> {
        ManuallyDrop::new(self).0
    }

    /// The length of the packet, in bytes.
    #[inline]
    #[expect(clippy::len_without_is_empty)]
    pub fn len(&self) -> u32 {
        // SAFETY: By the type invariant.
        unsafe { bindings::xdp_get_frame_len(self.as_raw()) }
    }

    /// Whether the packet has fragments.
    #[inline]
    pub fn has_frags(&self) -> bool {
        // SAFETY: By the type invariant.
        let flags = unsafe { (*self.as_raw()).flags };
        flags & bindings::xdp_buff_flags_XDP_FLAGS_HAS_FRAGS != 0
    }

    /// The room in front of the data that may be written to, in bytes. What a program has put there for whoever comes
    /// next (`bpf_xdp_adjust_meta`) is a part of it.
    #[inline]
    pub fn headroom(&self) -> u32 {
        // SAFETY: By the type invariant.
        unsafe { (*self.as_raw()).headroom }
    }

    /// The length of the VLAN tags behind the addresses, as far as they are in the first part of the packet, in bytes.
    // Nobody asks but for packets that are too long otherwise.
    #[cold]
    pub fn vlan_len(&self) -> u32 {
        const TYPES: [u16; 2] = [bindings::ETH_P_8021Q as u16, bindings::ETH_P_8021AD as u16];
        // SAFETY: By the type invariant.
        let (data, linear) = unsafe { ((*self.as_raw()).data, (*self.as_raw()).len) };
        let mut len = 0;
        while ETH_HLEN + len <= linear {
            let place = data.wrapping_byte_add((ETH_HLEN + len - 2) as usize);
            // SAFETY: The packet has so many bytes there, which are owned.
            let kind = unsafe { place.cast::<[u8; 2]>().read() };
            if !TYPES.contains(&u16::from_be_bytes(kind)) {
                break;
            }
            len += VLAN_HLEN;
        }
        len
    }

    /// The start of the data, for functions of C. There are [`headroom`](Self::headroom) bytes in front of it.
    #[inline]
    pub fn data(&self) -> *mut c_void {
        // SAFETY: By the type invariant.
        unsafe { (*self.as_raw()).data }
    }
}

impl PoolBuffer {
    /// Copies a whole frame to the start of the data. Any context.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if the buffer is shorter, `EOPNOTSUPP` if the frame has fragments.
    pub fn copy_frame(&mut self, frame: &XdpFrame) -> Result {
        let len = frame.len();
        if len > self.capacity() {
            return Err(EMSGSIZE);
        }
        if frame.has_frags() {
            return Err(not_supported());
        }
        // SAFETY: The frame has no fragments, so all of its bytes are here; the buffer is owned, and has as many.
        unsafe { core::ptr::copy_nonoverlapping(frame.data(), self.data(), len as usize) };
        Ok(())
    }
}

impl Drop for XdpFrame {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::xdp_return_frame(self.as_raw()) }
    }
}
