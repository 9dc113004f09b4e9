// SPDX-License-Identifier: GPL-2.0

//! The device as vhost-user has it.

use crate::{
    chain::Memory, features, judge::Violation, notice::Channel, queue::Queue, settings::Settings,
    state::State,
};
use std::{
    fs::File,
    io,
    sync::{Mutex, MutexGuard},
};
use vhost::vhost_user::{
    message::{VhostUserProtocolFeatures, VhostUserVirtioFeatures},
    Backend,
};
use vhost_user_backend::{VhostUserBackend, VringRwLock};
use vmm_sys_util::epoll::EventSet;

/// The largest that vhost-user has.
const QUEUE_SIZE: usize = 1024;

/// The device.
pub struct Device {
    settings: Settings,
    /// Where packets go to and come from.
    pub tap: File,
    state: Mutex<State>,
}

impl Device {
    /// A device that nobody uses yet.
    pub fn new(settings: Settings, tap: File) -> Self {
        Self {
            state: Mutex::new(State::new(settings.pairs, settings.space())),
            settings,
            tap,
        }
    }

    /// The number of the event that the TAP has a packet. Those up to that of the queues, and one
    /// more, are taken.
    pub fn tap_event(&self) -> u64 {
        self.settings.queues() as u64 + 1
    }

    /// For the time of one event or order.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("whoever had the lock has ended the program")
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
        self.settings.features() | VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits()
    }

    fn acked_features(&self, features: u64) {
        self.state().reset(self.settings.features(), features);
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
        let state = self.state();
        state.world.terms.space.read(offset as usize, size as usize)
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
        let is_tap = u64::from(event) == self.tap_event();
        let Some(memory) = &state.memory else {
            // What stays in the TAP would be an event again, at once.
            if is_tap {
                state.traffic.discard(&self.tap);
            }
            return Ok(());
        };
        if state.queues.is_empty() {
            let numbered = rings.iter().cloned().enumerate();
            let packed = state.world.terms.has(features::RING_PACKED);
            let made =
                numbered.map(|(number, ring)| Queue::new(number, ring, memory.clone(), packed));
            state.queues = made.collect();
        }
        let done = if is_tap {
            let (queues, world) = (&mut state.queues, &mut state.world);
            state.traffic.receive(queues, &self.tap, world)
        } else {
            state.work(event.into(), &self.tap)
        };
        if let Err(error) = done {
            let what = format!("queue {event}: {error}");
            state.world.judge.record(Violation::new("2.7", what));
        }
        Ok(())
    }
}
