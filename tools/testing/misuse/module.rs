// SPDX-License-Identifier: GPL-2.0

//! The module of the driver that misuses what it is given.

virtio::module_virtio_driver! {
    ids: [virtio::DeviceId::NET],
    type: misuse::Misuse,
    name: "misuse_rust",
    authors: ["The virtio-net Rust driver's authors"],
    description: "A driver that misuses what it is given, for tests",
    license: "GPL",
}
