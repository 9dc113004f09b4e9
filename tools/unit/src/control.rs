// SPDX-License-Identifier: GPL-2.0

//! A control queue that takes commands and keeps none.

use crate::VirtioNet;
use kernel::{
    net::Device,
    prelude::*, //
};

pub(crate) struct Access;

impl Access {
    pub(crate) fn new(_: &Device<VirtioNet>, _: u32) -> Option<Self> {
        Some(Self)
    }

    pub(crate) fn send<C>(&self, _: &C) -> Result {
        Ok(())
    }
}

#[allow(dead_code)]
pub(crate) mod commands {
    pub(crate) struct SetHash<'a> {
        pub(crate) hash_types: u32,
        pub(crate) key: &'a [u8],
    }

    pub(crate) struct SetRss<'a> {
        pub(crate) hash_types: u32,
        pub(crate) table: &'a [u16],
        pub(crate) pairs: u16,
        pub(crate) key: &'a [u8],
    }
}
