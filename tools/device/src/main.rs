// SPDX-License-Identifier: GPL-2.0

//! A virtio network device that does as it is told.
//!
//! `device vhost-user|vfio-user SOCKET COMMAND-SOCKET SETTINGS`
//!
//! QEMU has it by the first socket, in one of two ways. With vhost-user it is all queues and the
//! configuration space, behind QEMU's `vhost-user-test-device-pci`, which has the rest: PCI, feature
//! negotiation, status, resets. With vfio-user it is all of a PCI function, behind QEMU's `vfio-user-pci`.
//!
//! Packets go to and from a TAP device, which is the standard input, unless a test orders another
//! [`peer`]. SETTINGS is JSON, see [`settings::Settings`]; what can be asked for on the second socket
//! is in [`orders`]. Ends when QEMU does, with vhost-user; with vfio-user it waits for another one.

mod alarm;
mod backend;
mod capture;
mod chain;
mod coalesce;
mod control;
mod count;
mod device;
mod fault;
mod features;
mod filter;
mod hash;
mod header;
mod hex;
mod judge;
mod lent;
mod notice;
mod offloads;
mod orders;
mod others;
mod packets;
mod pci;
mod peer;
mod queue;
mod random;
mod rss;
mod settings;
mod space;
mod state;
mod stats;
mod tap;
mod terms;
mod vfio;

use device::Device;
use settings::Settings;
use std::{env, error::Error, os::unix::net::UnixListener, sync::Arc, thread};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [way, socket, commands, settings] = arguments.as_slice() else {
        return Err("usage: device vhost-user|vfio-user SOCKET COMMAND-SOCKET SETTINGS".into());
    };
    let settings: Settings = serde_json::from_str(settings)?;
    let device = Arc::new(Device::new(settings, tap::inherited()?));

    let listener = UnixListener::bind(commands)?;
    let ordered = device.clone();
    thread::spawn(move || orders::serve(&listener, &ordered));

    let timed = device.clone();
    thread::spawn(move || alarm::run(&timed));

    let done = match way.as_str() {
        "vhost-user" => backend::run(&device, socket).map_err(|error| error.to_string().into()),
        "vfio-user" => vfio::run(&device, socket).map_err(Into::into),
        _ => Err("there is no such way to have a device".into()),
    };
    // Other threads have the device too, so nothing drops it.
    let ended = device.state().traffic.capture.end();
    done.and_then(|()| Ok(ended?))
}
