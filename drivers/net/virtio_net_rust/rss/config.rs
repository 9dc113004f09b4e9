// SPDX-License-Identifier: GPL-2.0

//! What the device is told about hashes, all of it at a time.

use super::types::HashTypes;
use crate::{
    control::{
        commands::{
            SetHash,
            SetRss, //
        },
        Access, //
    },
    features,
    VirtioNet, //
};
use kernel::{
    net::{
        rss::{
            self,
            RssSizes, //
        },
        Device, //
    },
    prelude::*, //
};

/// What can be set.
pub(super) struct Config {
    pub(super) types: HashTypes,
    /// The queue for each value of the hash's lowest bits: a power of two of them, or none.
    table: KVec<u16>,
    key: KVec<u8>,
}

impl Config {
    /// What a device with these `sizes` gets at first: all hashes that it can compute.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new(sizes: RssSizes, types: HashTypes) -> Result<Self> {
        let mut key = KVec::from_elem(0, sizes.key.into(), GFP_KERNEL)?;
        rss::fill_key(&mut key);
        Ok(Self {
            types,
            table: KVec::from_elem(0, sizes.table.into(), GFP_KERNEL)?,
            key,
        })
    }

    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn copy(&self) -> Result<Self> {
        let mut copy = Self {
            types: self.types,
            table: KVec::new(),
            key: KVec::new(),
        };
        copy.table.extend_from_slice(&self.table, GFP_KERNEL)?;
        copy.key.extend_from_slice(&self.key, GFP_KERNEL)?;
        Ok(copy)
    }

    /// Makes the table the one that the stack too takes for the default: `pairs` queues in turn.
    pub(super) fn spread_evenly(&mut self, pairs: u16) {
        for (entry, queue) in self.table.iter_mut().zip((0..pairs).cycle()) {
            *entry = queue;
        }
    }

    /// Copies out the table and the key.
    pub(super) fn get(&self, table: Option<&mut [u32]>, key: Option<&mut [u8]>) {
        for (to, queue) in table.into_iter().flatten().zip(&self.table) {
            *to = (*queue).into();
        }
        for (to, byte) in key.into_iter().flatten().zip(&self.key) {
            *to = *byte;
        }
    }

    /// Changes the table and the key.
    ///
    /// # Errors
    ///
    /// `EINVAL` if one of them has another length, or if there can be no such queue.
    pub(super) fn set(&mut self, table: Option<&[u32]>, key: Option<&[u8]>) -> Result {
        if table.is_some_and(|table| table.len() != self.table.len())
            || key.is_some_and(|key| key.len() != self.key.len())
        {
            return Err(EINVAL);
        }
        for (to, queue) in self.table.iter_mut().zip(table.into_iter().flatten()) {
            *to = u16::try_from(*queue)?;
        }
        for (to, byte) in self.key.iter_mut().zip(key.into_iter().flatten()) {
            *to = *byte;
        }
        Ok(())
    }

    /// Checks that the table leads to none but the first `pairs` queues.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it does not.
    pub(super) fn fits(&self, pairs: u16) -> Result {
        if self.table.iter().any(|queue| *queue >= pairs) {
            return Err(EINVAL);
        }
        Ok(())
    }

    /// Tells the device, which is to use `pairs` queues. Unless it `hashes`, there is no use for a
    /// hash.
    ///
    /// Process context. May sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; what [`Access::send`](crate::control::Access::send) says.
    pub(super) fn send(&self, device: &Device<VirtioNet>, pairs: u16, hashes: bool) -> Result {
        // There is nothing to be told to a device without a control queue.
        let control = Access::new(device, features::CTRL_VQ).ok_or(EINVAL)?;
        let types = if hashes { self.types } else { HashTypes::NONE };

        if self.table.is_empty() {
            control.send(&SetHash {
                hash_types: types.bits(),
                key: &self.key,
            })
        } else {
            control.send(&SetRss {
                hash_types: types.bits(),
                table: &self.table,
                pairs,
                key: &self.key,
            })
        }
    }
}
