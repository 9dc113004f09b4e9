// SPDX-License-Identifier: GPL-2.0

//! Receive side scaling: the device hashes what it receives, chooses a queue by the hash and a
//! table, and reports the hash (virtio 1.3, sections 5.1.6.4.3 and 5.1.6.5.7).
//!
//! A device may do either without the other. The choice of a queue comes with the number of queues,
//! in one command: see [`channels`](crate::channels).
//!
//! Both are told in one command, with all of it: what is hashed, the key, the table and how many queues there are.
//! So each change makes a copy of what is set ([`Config`]), has the device accept it, and only then puts it in the
//! place of the old one. A device that refuses the very first one goes on without.
//!
//! With a table, that command is also how the number of queues is changed. The one for the number alone is not
//! sent: it would end the choice by the table, which C does to a table that somebody has set.
//!
//! The hash is read from the copy of the header, if it has been negotiated and `rxhash` is on. Without `rxhash` a
//! device goes on choosing queues by the table; C then has it use the first queue only.
//!
//! The sizes of the table and the key are fixed when the device is registered. The stack asks for them each time
//! that it allocates memory for them, and some callers do not pass them on.

mod config;
mod types;

use self::{
    config::Config,
    types::HashTypes, //
};
use crate::{
    channels::frames::with_frames,
    config as space,
    features,
    Shared,
    VirtioNet, //
};
use kernel::{
    device::Core,
    net::{
        self,
        not_supported,
        rss::{
            Flow,
            HashFields,
            RssSizes, //
        },
        Device,
        Features,
        Locked, //
    },
    new_mutex,
    prelude::*,
    sync::Mutex,
    virtio::{
        self,
        fault, //
    },
};

impl net::rss::Rss for VirtioNet {
    fn rss(device: &Device<Self>, table: Option<&mut [u32]>, key: Option<&mut [u8]>) -> Result {
        get(device.shared(), table, key)
    }

    fn set_rss(device: &Locked<'_, Self>, table: Option<&[u32]>, key: Option<&[u8]>) -> Result {
        set(device, table, key)
    }

    fn hash_fields(device: &Device<Self>, flow: Flow) -> HashFields {
        fields(device.shared(), flow)
    }

    fn set_hash_fields(device: &Locked<'_, Self>, flow: Flow, fields: HashFields) -> Result {
        set_fields(device, flow, fields)
    }
}

/// The shortest key of a device, in bytes (virtio 1.3, section 5.1.4.1): for the addresses and the
/// ports of IPv6.
pub(crate) const MIN_KEY: u8 = 40;

/// What a device hashes.
pub(crate) struct Rss {
    sizes: RssSizes,
    supported: HashTypes,
    state: Pin<KBox<Mutex<State>>>,
}

struct State {
    /// What has been set, and is true of the device.
    config: Config,
    /// Whether the device has refused all that was set at first, so that it does nothing.
    refused: bool,
}

impl Rss {
    /// What `device` can, if anything.
    ///
    /// # Errors
    ///
    /// `EINVAL`, after a line in the log, if a size cannot be that could be when features were negotiated; `EIO`
    /// if the configuration cannot be read; `ENOMEM`.
    pub(crate) fn of_device(device: &virtio::Device<Core<'_>>) -> Result<Option<Self>> {
        let steers = device.has(features::RSS);
        if !steers && !device.has(features::HASH_REPORT) {
            return Ok(None);
        }
        let [key] = device.read_config(&space::RSS_MAX_KEY_SIZE)?;
        let table = if steers { table_of(device)? } else { 0 };
        if key < MIN_KEY || (steers && table == 0) {
            dev_err!(
                device,
                "device has a table of {table} entries and keys of {key} bytes for hashes by now\n"
            );
            return Err(EINVAL);
        }
        fault::point("hash settings")?;
        let sizes = RssSizes { table, key };
        let supported = HashTypes::from_bits(device.read_config(&space::SUPPORTED_HASH_TYPES)?);
        let state = State {
            config: Config::new(sizes, supported)?,
            refused: false,
        };
        Ok(Some(Self {
            sizes,
            supported,
            state: KBox::pin_init(new_mutex!(state), GFP_KERNEL)?,
        }))
    }

    /// How much can be set.
    pub(crate) fn sizes(&self) -> RssSizes {
        self.sizes
    }

    /// Whether the device can be told to choose the queue.
    fn has_table(&self) -> bool {
        self.sizes.table != 0
    }
}

/// How many entries of the device's table are used. The driver chooses a power of two (virtio 1.3, section
/// 5.1.6.5.7.1), up to the number that the device says, which should be one too.
fn table_of(device: &virtio::Device<Core<'_>>) -> Result<u16> {
    let most = device.read_config(&space::RSS_MAX_INDIRECTION_TABLE_LENGTH)?;
    let used = most.checked_ilog2().map_or(0, |log| 1 << log);
    if used != most {
        dev_warn!(
            device,
            "device says that its indirection table has {most} entries, not a power of two: using {used}\n"
        );
    }
    Ok(used)
}

impl State {
    /// Makes `config` true of the device, and then of the driver.
    fn commit(
        &mut self,
        device: &Device<VirtioNet>,
        config: Config,
        pairs: u16,
        hashes: bool,
    ) -> Result {
        let told = with_frames(device.shared(), pairs);
        config.send(device, told, hashes).inspect_err(|error| {
            dev_warn!(
                device.shared().device,
                "device does not change what it hashes, or where that leads: {error:?}\n"
            );
        })?;
        self.config = config;
        Ok(())
    }
}

/// The device's, unless it has none, or has refused it.
fn usable(shared: &Shared) -> Result<&Rss> {
    let rss = shared.rss.as_ref().ok_or_else(not_supported)?;
    if rss.state.lock().refused {
        return Err(not_supported());
    }
    Ok(rss)
}

/// Whether the device chooses the queue by the hash. Process context. May sleep.
pub(crate) fn steers(shared: &Shared) -> bool {
    usable(shared).is_ok_and(Rss::has_table)
}

/// Whether there is a use for hashes with these features.
fn hashes(rss: &Rss, features: Features) -> bool {
    rss.has_table() || features.contains(Features::RXHASH)
}

/// Tells a device that has been started what to hash, and to use as many queues as the stack does.
/// Returns whether it has been told the latter. One that refuses works without all this.
///
/// C function: `virtnet_probe()`.
pub(crate) fn start(device: &Locked<'_, VirtioNet>) -> bool {
    let shared = device.shared();
    let Some(rss) = &shared.rss else {
        return false;
    };
    if apply(device).is_err() {
        rss.state.lock().refused = true;
        dev_warn!(
            shared.device,
            "{} goes on without hashes of what it receives\n",
            device.name()
        );
    }
    steers(shared)
}

/// Sends the device what has been set: with as many queues as the stack uses.
///
/// Process context. May sleep.
///
/// # Errors
///
/// What [`Access::send`](crate::control::Access::send) says; `ENOMEM`.
pub(crate) fn apply(device: &Locked<'_, VirtioNet>) -> Result {
    if usable(device.shared()).is_err() {
        return Ok(());
    }
    spread(device, device.num_queues())
}

/// Has the device choose from `pairs` queues: as the table says that somebody has set, else from all
/// of them alike.
///
/// Process context. May sleep. C functions: `virtnet_set_queues()`,
/// `virtnet_rss_update_by_qpairs()`.
///
/// # Errors
///
/// As for [`apply`]; `EINVAL` if the table has a queue that is not among them. All is as before.
pub(crate) fn spread(device: &Locked<'_, VirtioNet>, pairs: u16) -> Result {
    let shared = device.shared();
    let rss = usable(shared)?;
    let mut state = rss.state.lock();
    let mut config = state.config.copy()?;
    if !device.has_user_table() {
        config.spread_evenly(pairs);
    }
    config.fits(pairs)?;
    state.commit(device, config, pairs, hashes(rss, device.features()))
}

/// Copies out the table and the key, if there are any. C function: `virtnet_get_rxfh()`.
///
/// # Errors
///
/// `EOPNOTSUPP` if the device has refused them.
pub(crate) fn get(shared: &Shared, table: Option<&mut [u32]>, key: Option<&mut [u8]>) -> Result {
    if shared.rss.is_some() {
        usable(shared)?.state.lock().config.get(table, key);
    }
    Ok(())
}

/// Changes the table, the key, or both. C function: `virtnet_set_rxfh()`, which does not notice if
/// the device refuses.
///
/// # Errors
///
/// `EOPNOTSUPP` if the device has no table or does not hash; `EINVAL` if the table has a queue that
/// is not used; as for [`apply`]. All is as before.
pub(crate) fn set(device: &Device<VirtioNet>, table: Option<&[u32]>, key: Option<&[u8]>) -> Result {
    if table.is_none() && key.is_none() {
        return Ok(());
    }
    let shared = device.shared();
    let rss = usable(shared)?;
    if table.is_some() && !rss.has_table() {
        return Err(not_supported());
    }
    let mut state = rss.state.lock();
    let mut config = state.config.copy()?;
    config.set(table, key)?;
    config.fits(device.num_queues())?;
    state.commit(
        device,
        config,
        device.num_queues(),
        hashes(rss, device.features()),
    )
}

/// What is hashed of the packets of `flow`. C function: `virtnet_get_hashflow()`.
pub(crate) fn fields(shared: &Shared, flow: Flow) -> HashFields {
    usable(shared).map_or(HashFields::Nothing, |rss| {
        rss.state.lock().config.types.fields(flow)
    })
}

/// Changes what is hashed of the packets of `flow`.
///
/// C function: `virtnet_set_hashflow()`, which forgets about all other packets where `flow` is
/// neither TCP nor UDP.
///
/// # Errors
///
/// `EINVAL` if the device has no such hash; as for [`apply`]. All is as before.
pub(crate) fn set_fields(device: &Device<VirtioNet>, flow: Flow, fields: HashFields) -> Result {
    let shared = device.shared();
    let Ok(rss) = usable(shared) else {
        return match fields {
            HashFields::Nothing => Ok(()),
            _ => Err(EINVAL),
        };
    };
    let mut state = rss.state.lock();
    let types = state.config.types.with(flow, fields).ok_or(EINVAL)?;
    if !types.within(rss.supported) {
        return Err(EINVAL);
    }
    if types == state.config.types {
        return Ok(());
    }
    let mut config = state.config.copy()?;
    config.types = types;
    state.commit(
        device,
        config,
        device.num_queues(),
        hashes(rss, device.features()),
    )
}

/// Tells the device whether to hash, if that is different with the features `wanted`.
///
/// Where the device chooses the queue by the hash, it goes on with that: only the packets do not get
/// the hash. With C all packets go to the first queue then.
///
/// Process context, rtnl held, may sleep. C function: `virtnet_set_features()`.
///
/// # Errors
///
/// As for [`apply`]; `EOPNOTSUPP` if the device does not hash. All is as before.
pub(crate) fn change(device: &Device<VirtioNet>, wanted: Features) -> Result {
    let (shared, now) = (device.shared(), device.features());
    if wanted.contains(Features::RXHASH) == now.contains(Features::RXHASH) {
        return Ok(());
    }
    let rss = usable(shared)?;
    if hashes(rss, wanted) == hashes(rss, now) {
        return Ok(());
    }
    let mut state = rss.state.lock();
    let config = state.config.copy()?;
    state.commit(device, config, device.num_queues(), hashes(rss, wanted))
}
