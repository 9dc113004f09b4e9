// SPDX-License-Identifier: GPL-2.0

//! Which VLANs the device passes packets of on (virtio 1.3, section 5.1.6.5.3).
//!
//! A VLAN that the device refuses is an error for whoever adds it; in C it is there and receives nothing. As the
//! stack has no list of them to ask for, the driver has one, which only the holder of the rtnl lock can reach.

use crate::{
    control::{
        commands::{
            AddVlan,
            RemoveVlan, //
        },
        outcome_unknown,
        Access, //
    },
    features,
    VirtioNet, //
};
use kernel::{
    net::{
        self,
        rtnl,
        Device, //
    },
    prelude::*, //
};

impl net::VlanFilter for VirtioNet {
    fn add_vlan(device: &Device<Self>, vid: u16, rtnl: &rtnl::Held) -> Result {
        add(device, vid, rtnl)
    }

    fn remove_vlan(device: &Device<Self>, vid: u16, rtnl: &rtnl::Held) -> Result {
        remove(device, vid, rtnl)
    }
}

/// The VLANs that the device passes packets of on.
pub(crate) struct Vlans(rtnl::Protected<KVec<Vlan>>);

/// A VLAN that the device has, or may have.
struct Vlan {
    vid: u16,
    /// If not, the device may have it all the same: it has not answered.
    wanted: bool,
}

impl Vlans {
    /// No VLAN.
    pub(crate) fn none() -> Self {
        Self(rtnl::Protected::new(KVec::new()))
    }
}

/// The VLAN `vid`, which is in the list from now on.
fn entry(known: &mut KVec<Vlan>, vid: u16) -> Result<&mut Vlan> {
    let index = known.iter().position(|vlan| vlan.vid == vid);
    let index = match index {
        Some(index) => index,
        None => {
            known.push(Vlan { vid, wanted: false }, GFP_KERNEL)?;
            known.len() - 1
        }
    };
    known.get_mut(index).ok_or(EINVAL)
}

/// Records how a command about a VLAN has ended: it is forgotten, unless the device may have it.
fn record(known: &mut KVec<Vlan>, vid: u16, result: &Result) {
    if !outcome_unknown(result) {
        known.retain(|vlan| vlan.vid != vid || vlan.wanted);
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
pub(crate) fn add(device: &Device<VirtioNet>, vid: u16, rtnl: &rtnl::Held) -> Result {
    // The stack does not ask for it without the feature.
    let control = Access::new(device, features::CTRL_VLAN).ok_or(EINVAL)?;
    device.shared().vlans.0.with(rtnl, |known| {
        let vlan = entry(known, vid)?;
        let result = send(device, control, vid, true);
        vlan.wanted = result.is_ok();
        record(known, vid, &result);
        result
    })
}

/// Has the device pass on no packets of the VLAN `vid` any more. One that refuses is not asked again: the
/// stack has forgotten the VLAN. C function: `virtnet_vlan_rx_kill_vid()`.
///
/// # Errors
///
/// As for [`add`].
pub(crate) fn remove(device: &Device<VirtioNet>, vid: u16, rtnl: &rtnl::Held) -> Result {
    let control = Access::new(device, features::CTRL_VLAN).ok_or(EINVAL)?;
    device.shared().vlans.0.with(rtnl, |known| {
        entry(known, vid)?.wanted = false;
        let result = send(device, control, vid, false);
        record(known, vid, &result);
        result
    })
}

/// Sends the command that adds or removes a VLAN. If the device does not take that it is in the log.
fn send(device: &Device<VirtioNet>, control: Access<'_>, vid: u16, wanted: bool) -> Result {
    let virtio = &device.shared().device;
    if wanted {
        control.send(&AddVlan(vid)).inspect_err(|error| {
            dev_warn!(virtio, "device does not take VLAN {vid}: {error:?}\n");
        })
    } else {
        control.send(&RemoveVlan(vid)).inspect_err(|error| {
            dev_warn!(virtio, "device does not forget VLAN {vid}: {error:?}\n");
        })
    }
}

/// Resynchronises the first VLAN from the number `from` on, as [`restore`] sends all. Returns its number, and what has
/// become of that, if there is one.
pub(crate) fn resync(
    device: &Device<VirtioNet>,
    from: u16,
    rtnl: &rtnl::Held,
) -> Option<(u16, Result)> {
    let control = Access::new(device, features::CTRL_VLAN)?;
    device.shared().vlans.0.with(rtnl, |known| {
        let others = known.iter().filter(|vlan| vlan.vid >= from);
        let &Vlan { vid, wanted } = others.min_by_key(|vlan| vlan.vid)?;
        let result = send(device, control, vid, wanted);
        record(known, vid, &result);
        Some((vid, result))
    })
}

/// Restores all VLANs: has the device forget those too that it may have although nobody wants them.
///
/// Process context, rtnl held, may sleep.
///
/// # Errors
///
/// As for [`add`]: that of the last VLAN that is not taken. It stays wanted.
pub(crate) fn restore(device: &Device<VirtioNet>, rtnl: &rtnl::Held) -> Result {
    let Some(control) = Access::new(device, features::CTRL_VLAN) else {
        return Ok(());
    };
    device.shared().vlans.0.with(rtnl, |known| {
        let mut result = Ok(());
        known.retain(|vlan| {
            let sent = send(device, control, vlan.vid, vlan.wanted);
            let stays = vlan.wanted || outcome_unknown(&sent);
            result = sent.and(result);
            stays
        });
        result
    })
}
