// SPDX-License-Identifier: GPL-2.0

//! What the second driver sees as the crate `kernel`: see `rust/facade`. There is no virtio in it.

pub use dma;
pub use kernel::{
    new_spinlock,
    prelude,
    sync, //
};
pub use netdev as net;
