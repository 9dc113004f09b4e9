// SPDX-License-Identifier: GPL-2.0

//! The device as vhost-user has it: the back end of QEMU's `vhost-user-test-device-pci`.

use crate::{
    chain::Memory, device::Device, features, judge::Violation, notice::Channel, queue::Queue,
};
use std::{io, os::fd::AsRawFd, sync::Arc};
use vhost::vhost_user::{
    message::{VhostUserProtocolFeatures, VhostUserVirtioFeatures},
    Backend, Listener,
};
use vhost_user_backend::{VhostUserBackend, VhostUserDaemon, VringRwLock};
use vm_memory::{GuestMemoryAtomic, GuestMemoryMmap};
use vmm_sys_util::epoll::EventSet;

/// The largest that vhost-user has.
const QUEUE_SIZE: usize = 1024;

/// Serves one QEMU until it ends.
pub fn run(device: &Arc<Device>, socket: &str) -> vhost_user_backend::Result<()> {
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

impl VhostUserBackend for Device {
    type Bitmap = ();
    type Vring = VringRwLock;

    fn num_queues(&self) -> usize {
        self.settings.queues()
    }

    fn max_queue_size(&self) -> usize {
        QUEUE_SIZE
    }

    fn features(&self) -> u64 {
        self.settings.features() as u64 | VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits()
    }

    fn acked_features(&self, features: u64) {
        self.state()
            .reset(self.settings.features(), features.into());
    }

    fn protocol_features(&self) -> VhostUserProtocolFeatures {
        VhostUserProtocolFeatures::MQ
            | VhostUserProtocolFeatures::CONFIG
            | VhostUserProtocolFeatures::BACKEND_REQ
    }

    fn set_backend_req_fd(&self, _: Backend) {
        self.state().channel = Channel::find()
            .inspect_err(|error| eprintln!("no news of the configuration: {error}"))
            .ok();
    }

    fn set_event_idx(&self, _enabled: bool) {
        // The crate tells the queues by itself.
    }

    fn get_config(&self, offset: u32, size: u32) -> Vec<u8> {
        self.state().configuration(offset as usize, size as usize)
    }

    fn set_config(&self, offset: u32, bytes: &[u8]) -> io::Result<()> {
        let what = format!(
            "{} bytes written at {offset} of the configuration",
            bytes.len()
        );
        self.state()
            .world
            .judge
            .record(Violation::new("5.1.4.2", what));
        Ok(())
    }

    fn update_memory(&self, memory: Memory) -> io::Result<()> {
        self.state().memory = Some(memory);
        Ok(())
    }

    /// An error would end the thread, and with it the device.
    fn handle_event(
        &self,
        event: u16,
        _: EventSet,
        rings: &[VringRwLock],
        _: usize,
    ) -> io::Result<()> {
        let mut guard = self.state();
        let state = &mut *guard;
        if state.queues.is_empty() {
            if let Some(memory) = &state.memory {
                let numbered = rings.iter().cloned().enumerate();
                let packed = state.world.terms.has(features::RING_PACKED);
                let made =
                    numbered.map(|(number, ring)| Queue::new(number, ring, memory.clone(), packed));
                state.queues = made.collect();
            }
        }
        if u64::from(event) == self.tap_event() {
            state.receive(&self.tap);
        } else {
            state.kick(event.into(), &self.tap);
        }
        Ok(())
    }
}
