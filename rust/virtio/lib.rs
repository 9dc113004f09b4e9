// SPDX-License-Identifier: GPL-2.0

//! Abstractions for virtio drivers: the bus, the device's configuration, and virtqueues.
//!
//! A driver implements [`Driver`]. In [`Driver::probe`] it asks its [`Attached`] device for
//! virtqueues ([`queue::find`]) and moves buffers into them. A buffer that is lent to the device is
//! owned by its [`queue::Virtqueue`] until the device gives it back or has been reset; see
//! [`queue`].
//!
//! C headers: [`include/linux/virtio.h`](srctree/include/linux/virtio.h),
//! [`include/linux/virtio_config.h`](srctree/include/linux/virtio_config.h).

/// What log lines of this crate begin with; each crate needs one.
const __LOG_PREFIX: &[u8] = b"virtio_rust\0";

use netdev_bindings as bindings;

mod attached;
pub mod config;
mod device;
mod driver;
mod feature;
mod id;
pub mod parameter;
pub mod queue;
mod recovery;

pub use self::{
    attached::Attached,
    device::Device,
    driver::{
        Adapter,
        Driver,
        Ids,
        Registered, //
    },
    feature::{
        Feature,
        Negotiation, //
    },
    id::{
        DeviceId,
        IdArray,
        IdTable, //
    },
    recovery::Asked,
};
pub use dma::fault;
