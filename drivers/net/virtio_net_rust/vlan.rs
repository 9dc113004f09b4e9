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
use kernel::prelude::*;

/// Has the device pass on packets of the VLAN `vid`.
///
/// Process context, rtnl held, may sleep. C function: `virtnet_vlan_rx_add_vid()`, which reports no
/// error, so that the VLAN is there and receives nothing.
///
/// # Errors
///
/// What [`Control::send`](crate::control::Control::send) says.
pub(crate) fn add(shared: &Shared, vid: u16) -> Result {
    let control = shared.control_for(features::CTRL_VLAN).ok_or(EOPNOTSUPP)?;
    control.send(&AddVlan(vid)).inspect_err(|error| {
        dev_warn!(
            shared.device,
            "device does not take VLAN {vid}: {error:?}\n"
        );
    })
}

/// Has the device pass on no packets of the VLAN `vid` any more. C function:
/// `virtnet_vlan_rx_kill_vid()`.
///
/// # Errors
///
/// As for [`add`].
pub(crate) fn remove(shared: &Shared, vid: u16) -> Result {
    let control = shared.control_for(features::CTRL_VLAN).ok_or(EOPNOTSUPP)?;
    control.send(&RemoveVlan(vid)).inspect_err(|error| {
        dev_warn!(
            shared.device,
            "device does not forget VLAN {vid}: {error:?}\n"
        );
    })
}
