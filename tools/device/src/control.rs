// SPDX-License-Identifier: GPL-2.0

//! The control queue (virtio 1.3, section 5.1.6.5): keeps what it is told, and answers as ordered.

use crate::{
    chain::{self, Memory, Taken},
    hex,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, VecDeque},
    io, thread,
    time::Duration,
};
use vhost_user_backend::VringRwLock;

/// `VIRTIO_NET_OK`
const OK: u8 = 0;

/// A command of the driver's.
#[derive(Clone, Serialize)]
pub struct Command {
    class: u8,
    code: u8,
    /// What follows class and code.
    #[serde(serialize_with = "hex::serialize")]
    body: Vec<u8>,
    /// How many bytes the answer may have.
    room: usize,
}

/// What to answer to a command. By default, that it is done.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answer {
    /// The byte that says whether it was done.
    ack: u8,
    /// What follows it.
    #[serde(deserialize_with = "hex::deserialize")]
    body: Vec<u8>,
    /// How many bytes the device says it has written, if that is not the truth.
    written: Option<u32>,
    /// How long the driver has to wait for it.
    delay_ms: u64,
    /// Whether it stays away until it is asked for.
    withheld: bool,
}

/// The state of the control queue.
#[derive(Default)]
pub struct Control {
    /// All commands so far.
    pub commands: Vec<Command>,
    /// Answers to the next commands, in their order.
    pub script: VecDeque<Answer>,
    /// What the answer to a command, by class and code, has besides the first byte.
    pub bodies: HashMap<(u8, u8), Vec<u8>>,
    /// Answers that have been written and not given back.
    withheld: Vec<(VringRwLock, u16, u32)>,
}

impl Control {
    /// Works off the queue.
    pub fn work(&mut self, ring: &VringRwLock, memory: &Memory) -> io::Result<()> {
        chain::drain(ring, || {
            while let Some(taken) = chain::take(ring, memory) {
                self.obey(ring, &taken)?;
            }
            Ok(())
        })
    }

    fn obey(&mut self, ring: &VringRwLock, taken: &Taken) -> io::Result<()> {
        let request = taken.read()?;
        let [class, code, body @ ..] = request.as_slice() else {
            return Err(io::Error::other("a command has a class and a code"));
        };
        let room = taken.room()?;
        self.commands.push(Command {
            class: *class,
            code: *code,
            body: body.to_vec(),
            room,
        });

        let answer = self.script.pop_front().unwrap_or_else(|| Answer {
            ack: OK,
            body: self
                .bodies
                .get(&(*class, *code))
                .cloned()
                .unwrap_or_default(),
            ..Answer::default()
        });
        let length = taken.write(&[&[answer.ack], answer.body.as_slice()].concat())?;
        let written = answer.written.unwrap_or(length as u32);
        if answer.withheld {
            self.withheld.push((ring.clone(), taken.id(), written));
        } else if answer.delay_ms == 0 {
            chain::give_back(ring, taken.id(), written)?;
        } else {
            let (ring, id) = (ring.clone(), taken.id());
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(answer.delay_ms));
                // The driver may have reset the device by now; then nobody waits for it.
                let _ = chain::give_back(&ring, id, written);
            });
        }
        Ok(())
    }

    /// Gives back all answers that were withheld.
    pub fn release(&mut self) -> io::Result<()> {
        self.withheld
            .drain(..)
            .try_for_each(|(ring, id, written)| chain::give_back(&ring, id, written))
    }
}
