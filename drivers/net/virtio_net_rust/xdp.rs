// SPDX-License-Identifier: GPL-2.0

//! XDP.
//!
//! A program is attached and detached while packets flow. No queue is reset for it, and no packet is lost: what the device
//! has been lent before stays. A packet that comes in a buffer without the room in front that programs expect is
//! copied; from then on buffers of the right kind are lent ([`rx`]).
//!
//! The device must not merge packets or leave checksums open for a program, so what it may do to received packets is turned
//! off with a program and on again without ([`offloads`]). A device that cannot be told so is refused, as with C. What was
//! received before that, and is not as on the wire, is dropped.
//!
//! Programs send through queues of their own if the device has enough ([`frames`]), else through those that the stack has
//! (`tx::xmit_frames`).

use crate::{
    channels::frames,
    features,
    offloads,
    rx,
    stats,
    tx,
    xsk,
    VirtioNet, //
};
use kernel::{
    net::{
        self,
        not_supported,
        rtnl,
        Allocated,
        Device,
        Frames,
        Locked,
        PoolBuffer,
        Program,
        Refused,
        TxAccess,
        XdpFeatures,
        ETH_HLEN, //
    },
    prelude::*,
    virtio, //
};

impl net::Xdp for VirtioNet {
    fn attach(
        device: &Locked<'_, Self>,
        _program: &Program<'_>,
        rtnl: &rtnl::Held,
    ) -> Result<(), Refused> {
        if device.has_program() {
            return Ok(());
        }
        offloads::change_program(device, true).map_err(|error| Refused {
            error,
            reason: if error == not_supported() {
                c"virtio_net_rust: Can't set XDP while host is implementing GRO_HW/CSUM, disable GRO_HW/CSUM first"
            } else {
                c"virtio_net_rust: The device does not leave received packets as they are"
            },
        })?;
        frames::dedicate(device, true, rtnl);
        Ok(())
    }

    fn detached(device: &Locked<'_, Self>, rtnl: &rtnl::Held) {
        frames::dedicate(device, false, rtnl);
        // What fails has said so.
        let _ = offloads::change_program(device, false);
    }

    fn max_xdp_mtu(device: &Device<Self>, frags: bool) -> u32 {
        let mode = &device.shared().mode;
        if frags && mode.is_mergeable() {
            mode.max_mtu
        } else {
            mode.max_mtu.min(PoolBuffer::XDP_CAPACITY - ETH_HLEN)
        }
    }

    #[inline]
    fn xmit_frames(
        device: &Device<Self>,
        tx: Option<TxAccess<'_, Self>>,
        stats: &stats::Tx,
        frames: &mut Frames<'_>,
        flush: bool,
    ) {
        tx::xmit_frames(device.shared(), tx, stats, frames, flush);
    }
}

/// What each device can do.
const FEATURES: XdpFeatures = XdpFeatures::BASIC
    .and(XdpFeatures::REDIRECT)
    .and(XdpFeatures::NDO_XMIT)
    .and(XdpFeatures::NDO_XMIT_SG);

/// Says what the device can do.
pub(crate) fn set_features(
    netdev: &mut Allocated<VirtioNet>,
    mode: &rx::Mode,
    device: &virtio::Device,
) {
    if device.has(features::HASH_REPORT) {
        netdev.offer_xdp_hash();
    }
    let mut all = FEATURES;
    if mode.is_mergeable() {
        all = all.and(XdpFeatures::RX_SG);
    }
    if xsk::is_possible(mode, device).is_ok() {
        all = all.and(XdpFeatures::XSK_ZEROCOPY);
        netdev.set_xsk_chunks(tx::MAX_CHUNKS);
        if device.has(features::CSUM) {
            netdev.offer_xsk_checksum();
        }
    }
    netdev.set_xdp_features(all);
}
