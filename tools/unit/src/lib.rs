// SPDX-License-Identifier: GPL-2.0

//! Tests of what is pure in the module, on the host: the same source files, and of the kernel's crate what they use, as plain
//! Rust. `make check` runs them.
#![cfg(test)]

mod answer;
mod average;
mod control;
mod framing;
mod gso;
mod order;
mod reply;
mod rss;
mod statistics;

use netdev_bindings as bindings;

/// As in the driver.
struct VirtioNet;

/// As in the driver.
mod features {
    pub(crate) const CTRL_VQ: u32 = 17;
}
