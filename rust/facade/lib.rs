// SPDX-License-Identifier: GPL-2.0

//! What a driver sees as the crate `kernel`: of the kernel's own crate what is safe and names no
//! binding, and this project's abstractions at the place where they would be in mainline.
//!
//! `kernel::bindings` is public in mainline. Here it cannot be named by a driver, since the build
//! gives drivers this crate and no other; see `rust/Makefile.rust`.

pub use dma;
pub use kernel::{
    cpumask,
    device,
    error,
    fmt,
    new_mutex,
    new_spinlock,
    prelude,
    str,
    sync,
    task,
    time, //
};
pub use netdev as net;
pub use virtio;
pub use vnet;
