// SPDX-License-Identifier: GPL-2.0

//! Which VLANs the device passes packets of on (virtio 1.3, section 5.1.6.5.3).

use crate::{
    control::commands::{
        AddVlan,
        RemoveVlan, //
    },
    features,
    Shared, //
};
use core::sync::atomic::{
    AtomicU64,
    Ordering::Relaxed, //
};
use kernel::prelude::*;

/// How many VLANs there can be.
const VIDS: u16 = 4096;

/// The VLANs that the device passes packets of on, as a set of bits. Changed with the rtnl lock held.
pub(crate) struct Vlans([AtomicU64; (VIDS / 64) as usize]);

impl Vlans {
    /// No VLAN.
    pub(crate) fn none() -> Self {
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
/// What [`Control::send`](crate::control::Control::send) says.
pub(crate) fn add(shared: &Shared, vid: u16) -> Result {
    // The stack does not ask for it without the feature.
    let control = shared.control_for(features::CTRL_VLAN).ok_or(EINVAL)?;
    control.send(&AddVlan(vid)).inspect_err(|error| {
        dev_warn!(
            shared.device,
            "device does not take VLAN {vid}: {error:?}\n"
        );
    })?;
    shared.vlans.set(vid, true);
    Ok(())
}

/// Has the device pass on no packets of the VLAN `vid` any more. One that does not do so is not asked
/// again: the stack has forgotten the VLAN. C function: `virtnet_vlan_rx_kill_vid()`.
///
/// # Errors
///
/// As for [`add`].
pub(crate) fn remove(shared: &Shared, vid: u16) -> Result {
    let control = shared.control_for(features::CTRL_VLAN).ok_or(EINVAL)?;
    shared.vlans.set(vid, false);
    control.send(&RemoveVlan(vid)).inspect_err(|error| {
        dev_warn!(
            shared.device,
            "device does not forget VLAN {vid}: {error:?}\n"
        );
    })
}

/// Tells a device that has been reset about all VLANs.
///
/// Process context, rtnl held, may sleep.
///
/// # Errors
///
/// As for [`add`]: that of the last VLAN that is not taken.
pub(crate) fn replay(shared: &Shared) -> Result {
    let mut result = Ok(());
    for vid in (0..VIDS).filter(|vid| shared.vlans.has(*vid)) {
        result = add(shared, vid).and(result);
    }
    result
}
