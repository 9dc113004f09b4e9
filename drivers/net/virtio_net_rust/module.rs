// SPDX-License-Identifier: GPL-2.0

//! The module: its name, its parameters, and the devices that it is loaded for.

virtio::module_virtio_driver! {
    ids: [virtio::DeviceId::NET],
    type: virtio_net::VirtioNet,
    name: "virtio_net_rust",
    authors: ["The virtio-net Rust driver's authors"],
    description: "Virtio network driver in Rust",
    license: "GPL",
}

virtio::module_version!(env!("MODULE_VERSION"));

virtio::module_parameters! {
    napi_weight: int = virtio_net::parameters::NAPI_WEIGHT, ReadOnly,
        "How many packets a receive queue takes before others get their turn, from 1";
    csum: bool = virtio_net::parameters::CSUM, ReadOnly,
        "Let the device complete checksums of packets that are sent";
    gso: bool = virtio_net::parameters::GSO, ReadOnly,
        "Let the device segment large packets that are sent";
    napi_tx: bool = virtio_net::parameters::NAPI_TX, Writable,
        "Free packets when the device has sent them; else when further ones are sent";
    control_timeout: uint = virtio_net::parameters::CONTROL_TIMEOUT, Writable,
        "How long a command to the device may take, in milliseconds, from 1 to 60000";
    stall_timeout: uint = virtio_net::parameters::STALL_TIMEOUT, Writable,
        "How long a device that owes something may be silent until it is reset, in milliseconds up to 600000; 0 turns the watchdog off";
}
