// SPDX-License-Identifier: GPL-2.0

//! A virtio network device that does as it is told: the back end of QEMU's
//! `vhost-user-test-device-pci`, with all queues and the configuration space.
//!
//! `device VHOST-SOCKET COMMAND-SOCKET SETTINGS`
//!
//! Packets go to and from a TAP device, which is the standard input. SETTINGS is JSON, see
//! [`settings::Settings`]; what can be asked for on the second socket is in [`orders`]. Ends when
//! QEMU does.

mod backend;
mod chain;
mod control;
mod fault;
mod features;
mod hash;
mod header;
mod hex;
mod judge;
mod lent;
mod notice;
mod orders;
mod packets;
mod queue;
mod random;
mod rss;
mod settings;
mod space;
mod state;
mod stats;
mod tap;
mod terms;

use backend::Device;
use settings::Settings;
use std::{
    env,
    error::Error,
    os::{fd::AsRawFd, unix::net::UnixListener},
    sync::Arc,
    thread,
};
use vhost::vhost_user::Listener;
use vhost_user_backend::VhostUserDaemon;
use vm_memory::{GuestMemoryAtomic, GuestMemoryMmap};
use vmm_sys_util::epoll::EventSet;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [socket, commands, settings] = arguments.as_slice() else {
        return Err("usage: device VHOST-SOCKET COMMAND-SOCKET SETTINGS".into());
    };
    let settings: Settings = serde_json::from_str(settings)?;
    let device = Arc::new(Device::new(settings, tap::inherited()?));

    let listener = UnixListener::bind(commands)?;
    let ordered = device.clone();
    thread::spawn(move || orders::serve(&listener, &ordered));

    run(&device, socket).map_err(|error| error.to_string().into())
}

/// Serves one QEMU until it ends.
fn run(device: &Arc<Device>, socket: &str) -> vhost_user_backend::Result<()> {
    let memory = GuestMemoryAtomic::new(GuestMemoryMmap::new());
    let mut daemon = VhostUserDaemon::new("device".into(), device.clone(), memory)?;
    for handler in daemon.get_epoll_handlers() {
        handler
            .register_listener(device.tap.as_raw_fd(), EventSet::IN, device.tap_event())
            .map_err(vhost_user_backend::Error::StartDaemon)?;
    }
    let listener =
        Listener::new(socket, true).map_err(vhost_user_backend::Error::CreateVhostUserListener)?;
    daemon.start(listener)?;
    match daemon.wait() {
        // QEMU has gone.
        Err(vhost_user_backend::Error::HandleRequest(_)) => Ok(()),
        other => other,
    }
}
