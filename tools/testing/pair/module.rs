// SPDX-License-Identifier: GPL-2.0

//! The module of the pair of devices: macros of the kernel, which expand to `unsafe`, and nothing else.

use kernel::prelude::*;

module! {
    type: Pair,
    name: "pair_rust",
    authors: ["The virtio-net Rust driver's authors"],
    description: "A pair of network devices in software, for tests",
    license: "GPL",
}

struct Pair {
    _devices: pair::Devices,
}

impl kernel::Module for Pair {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self {
            _devices: pair::register()?,
        })
    }
}
