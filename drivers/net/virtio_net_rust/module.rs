// SPDX-License-Identifier: GPL-2.0

//! The module: its name, and the devices that it is loaded for.

virtio::module_virtio_driver! {
    ids: [virtio::DeviceId::NET],
    type: virtio_net::VirtioNet,
    name: "virtio_net_rust",
    authors: ["The virtio-net Rust driver's authors"],
    description: "Virtio network driver in Rust",
    license: "GPL",
}
