// SPDX-License-Identifier: GPL-2.0

//! The device as vhost-user has it.

use crate::{
    chain::Memory,
    control::Control,
    packets::{self, Counters},
    settings::Settings,
};
use std::{
    fs::File,
    io,
    sync::{
        atomic::{AtomicU64, Ordering::Relaxed},
        Mutex, MutexGuard,
    },
};
use vhost::vhost_user::message::{VhostUserProtocolFeatures, VhostUserVirtioFeatures};
use vhost_user_backend::{VhostUserBackend, VringRwLock};
use vmm_sys_util::epoll::EventSet;

/// The largest that vhost-user has.
const QUEUE_SIZE: usize = 1024;

/// The device.
pub struct Device {
    settings: Settings,
    /// Where packets go to and come from.
    pub tap: File,
    accepted: AtomicU64,
    state: Mutex<State>,
}

/// What changes while the device is used.
#[derive(Default)]
pub struct State {
    memory: Option<Memory>,
    /// What the control queue was told, and is to answer.
    pub control: Control,
    /// What has gone where.
    pub counters: Counters,
}

impl Device {
    /// A device that nobody uses yet.
    pub fn new(settings: Settings, tap: File) -> Self {
        Self {
            settings,
            tap,
            accepted: AtomicU64::new(0),
            state: Mutex::default(),
        }
    }

    /// The number of the event that the TAP has a packet. Those up to that of the queues, and one
    /// more, are taken.
    pub fn tap_event(&self) -> u64 {
        self.settings.queues() as u64 + 1
    }

    /// The features that the driver has accepted.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Relaxed)
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
        self.accepted.store(features, Relaxed);
    }

    fn protocol_features(&self) -> VhostUserProtocolFeatures {
        VhostUserProtocolFeatures::MQ | VhostUserProtocolFeatures::CONFIG
    }

    fn set_event_idx(&self, _enabled: bool) {
        // The crate tells the queues by itself.
    }

    fn get_config(&self, offset: u32, size: u32) -> Vec<u8> {
        let bytes = self
            .settings
            .config
            .iter()
            .copied()
            .chain(std::iter::repeat(0));
        bytes.skip(offset as usize).take(size as usize).collect()
    }

    fn update_memory(&self, memory: Memory) -> io::Result<()> {
        self.state().memory = Some(memory);
        Ok(())
    }

    fn handle_event(
        &self,
        event: u16,
        _: EventSet,
        rings: &[VringRwLock],
        _: usize,
    ) -> io::Result<()> {
        let mut state = self.state();
        let State {
            memory: Some(memory),
            control,
            counters,
        } = &mut *state
        else {
            return Ok(());
        };
        let (event, last) = (usize::from(event), rings.len() - 1);
        if event as u64 == self.tap_event() {
            packets::receive(&rings[0], memory, &self.tap, counters)
        } else if event == last {
            control.work(&rings[last], memory)
        } else if event % 2 == 1 {
            packets::transmit(&rings[event], memory, &self.tap, counters)
        } else {
            // Buffers for packets that come later.
            Ok(())
        }
    }
}
