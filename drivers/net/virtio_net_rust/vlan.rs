// SPDX-License-Identifier: GPL-2.0

//! Which VLANs the device passes packets of on (virtio 1.3, section 5.1.6.5.3).

use crate::{
    control::{
        commands::{
            AddVlan,
            RemoveVlan, //
        },
        Access, //
    },
    features,
    VirtioNet, //
};
use core::sync::atomic::{
    AtomicU64,
    Ordering::Relaxed, //
};
use kernel::{
    net::Device,
    prelude::*, //
};

/// How many VLANs there can be.
const VIDS: u16 = 4096;

/// What is known of the VLANs that the device passes packets of on. Changed with the rtnl lock held.
pub(crate) struct Vlans {
    wanted: Set,
    /// Those that are not wanted, and that the device may have: it has not answered.
    doubtful: Set,
}

impl Vlans {
    /// No VLAN.
    pub(crate) fn none() -> Self {
        Self {
            wanted: Set::empty(),
            doubtful: Set::empty(),
        }
    }
}

/// A set of VLANs, as bits.
struct Set([AtomicU64; (VIDS / 64) as usize]);

impl Set {
    fn empty() -> Self {
        Self([const { AtomicU64::new(0) }; (VIDS / 64) as usize])
    }

    fn set(&self, vid: u16, wanted: bool) {
        if let Some(word) = self.0.get(usize::from(vid / 64)) {
            let (all, bit) = (word.load(Relaxed), 1 << (vid % 64));
            word.store(if wanted { all | bit } else { all & !bit }, Relaxed);
        }
    }

    fn has(&self, vid: u16) -> bool {
        let word = self.0.get(usize::from(vid / 64));
        word.is_some_and(|word| word.load(Relaxed) >> (vid % 64) & 1 == 1)
    }
}

/// Has the device pass on packets of the VLAN `vid`.
///
/// Process context, rtnl held, may sleep. C function: `virtnet_vlan_rx_add_vid()`, which reports no
/// error, so that the VLAN is there and receives nothing.
///
/// # Errors
///
/// What [`Access::send`](crate::control::Access::send) says.
pub(crate) fn add(device: &Device<VirtioNet>, vid: u16) -> Result {
    let shared = device.shared();
    // The stack does not ask for it without the feature.
    let control = Access::new(device, features::CTRL_VLAN).ok_or(EINVAL)?;
    let result = control.send(&AddVlan(vid)).inspect_err(|error| {
        dev_warn!(
            shared.device,
            "device does not take VLAN {vid}: {error:?}\n"
        );
    });
    shared.vlans.wanted.set(vid, result.is_ok());
    shared.vlans.doubtful.set(vid, is_doubtful(&result));
    result
}

/// Whether the device may have done what has failed.
fn is_doubtful(result: &Result) -> bool {
    matches!(*result, Err(ETIMEDOUT | EIO))
}

/// Has the device pass on no packets of the VLAN `vid` any more. One that refuses is not asked again: the
/// stack has forgotten the VLAN. C function: `virtnet_vlan_rx_kill_vid()`.
///
/// # Errors
///
/// As for [`add`].
pub(crate) fn remove(device: &Device<VirtioNet>, vid: u16) -> Result {
    let shared = device.shared();
    let control = Access::new(device, features::CTRL_VLAN).ok_or(EINVAL)?;
    shared.vlans.wanted.set(vid, false);
    let result = control.send(&RemoveVlan(vid)).inspect_err(|error| {
        dev_warn!(
            shared.device,
            "device does not forget VLAN {vid}: {error:?}\n"
        );
    });
    shared.vlans.doubtful.set(vid, is_doubtful(&result));
    result
}

/// Tells the device about all VLANs, those that it may have for no reason too.
///
/// Process context, rtnl held, may sleep.
///
/// # Errors
///
/// As for [`add`]: that of the last VLAN that is not taken.
pub(crate) fn replay(device: &Device<VirtioNet>) -> Result {
    let vlans = &device.shared().vlans;
    let mut result = Ok(());
    for vid in 0..VIDS {
        if vlans.doubtful.has(vid) {
            result = remove(device, vid).and(result);
        }
        if vlans.wanted.has(vid) {
            result = add(device, vid).and(result);
        }
    }
    result
}
