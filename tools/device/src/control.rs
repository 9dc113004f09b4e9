// SPDX-License-Identifier: GPL-2.0

//! The control queue (virtio 1.3, section 5.1.6.5): keeps what it is told, and answers as ordered.

use crate::{
    chain::Chain,
    coalesce, count,
    filter::Filter,
    hex,
    queue::{Completion, Queue, Ring, Used},
    rss,
    state::World,
    stats::{self, Stats},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, VecDeque},
    io, thread,
    time::Duration,
};

/// `VIRTIO_NET_OK`
const OK: u8 = 0;
/// `VIRTIO_NET_CTRL_ANNOUNCE_ACK` and its class.
const ANNOUNCE_ACK: (u8, u8) = (3, 0);

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
    /// The command that it is for, by class and code, if it is not for any.
    command: Option<(u8, u8)>,
    /// The byte that says whether it was done.
    ack: u8,
    /// What follows it, if not what follows it without a script.
    #[serde(deserialize_with = "hex::deserialize_some")]
    body: Option<Vec<u8>>,
    /// Whether nothing of all this is written.
    unwritten: bool,
    /// How many bytes the device says it has written, if that is not the truth.
    written: Option<u32>,
    /// How long the driver has to wait for it.
    delay_ms: u64,
    /// Whether it stays away until it is asked for.
    withheld: bool,
}

/// How many transmit queues the driver uses after a command, if that is what the command sets.
fn pairs_of(command: (u8, u8), body: &[u8]) -> Option<u16> {
    match command {
        rss::PAIRS_SET => Some(u16::from_le_bytes(body.try_into().ok()?)),
        rss::RSS_CONFIG => rss::read_table(body).map(|(_, table)| table.pairs),
        _ => None,
    }
}

/// Takes the first of the answers that are for a command.
fn scripted(script: &mut VecDeque<Answer>, command: (u8, u8)) -> Option<Answer> {
    let fits = |answer: &Answer| answer.command.is_none_or(|wanted| wanted == command);
    script.remove(script.iter().position(fits)?)
}

/// An answer that has been written and not given back.
struct Withheld {
    ring: Ring,
    completion: Completion,
    /// The command, if it is done: class, code, body.
    command: Option<((u8, u8), Vec<u8>)>,
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
    /// What is counted.
    pub stats: Stats,
    withheld: Vec<Withheld>,
}

impl Control {
    /// Works off the queue.
    pub fn work(&mut self, queue: &mut Queue, world: &mut World) -> io::Result<()> {
        queue.drain(|queue| {
            world.fetch(queue)?;
            while let Some(chain) = queue.take() {
                self.obey(queue, &chain, world)?;
            }
            Ok(())
        })
    }

    fn obey(&mut self, queue: &mut Queue, chain: &Chain, world: &mut World) -> io::Result<()> {
        let Some(request) = queue.hold(|| chain.read()) else {
            return Ok(());
        };
        let request = request?;
        let [class, code, body @ ..] = request.as_slice() else {
            return Err(io::Error::other("a command has a class and a code"));
        };
        world
            .judge
            .see_command((*class, *code), body, chain.room(), &world.terms);
        self.commands.push(Command {
            class: *class,
            code: *code,
            body: body.to_vec(),
            room: chain.room(),
        });

        let answer = scripted(&mut self.script, (*class, *code)).unwrap_or_default();
        let bytes = self.bytes((*class, *code), body, &answer, world);
        let count = world.counts.of(queue.number);
        count.command();
        count.done += u64::from(answer.ack == OK);
        let late = answer.withheld || answer.delay_ms != 0;
        if answer.ack == OK {
            world.pairs = pairs_of((*class, *code), body).unwrap_or(world.pairs);
            world.steering.obey((*class, *code), body);
            world.coalescing.obey((*class, *code), body);
            world.offloads.obey((*class, *code), body);
            if !answer.withheld {
                world.filter.obey((*class, *code), body);
            }
            if (*class, *code) == ANNOUNCE_ACK {
                world.terms.space.is_announced();
            }
        }
        let Some(length) = queue.hold(|| chain.write(&bytes)) else {
            return Ok(());
        };
        let length = length? as u32;
        let used = Used {
            id: chain.id.into(),
            len: answer.written.unwrap_or(length),
        };
        if !late {
            return world.complete(queue, vec![used], None);
        }
        // Nothing else is under way in the queue until the driver has it.
        world.lent.give_back(queue.number, chain.id);
        let completion = Completion {
            entries: vec![used],
            ..Completion::default()
        };
        let ring = queue.ring();
        if answer.withheld {
            let done = answer.ack == OK;
            self.withheld.push(Withheld {
                ring,
                completion,
                command: done.then(|| ((*class, *code), body.to_vec())),
            });
        } else {
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(answer.delay_ms));
                // The driver may have reset the device by now; then nobody waits for it.
                let _ = ring.complete(&completion);
            });
        }
        Ok(())
    }

    /// What is written to answer a command.
    fn bytes(&self, command: (u8, u8), body: &[u8], answer: &Answer, world: &World) -> Vec<u8> {
        if answer.unwritten {
            return Vec::new();
        }
        let rest = answer
            .body
            .clone()
            .unwrap_or_else(|| match self.bodies.get(&command) {
                _ if answer.ack != OK => Vec::new(),
                Some(set) => set.clone(),
                None if command == stats::QUERY => count::TYPES.to_le_bytes().into(),
                None if command == coalesce::VQ_GET => world.coalescing.answer(body),
                None if command == stats::GET => self.stats.answer(body, &world.counts),
                None => Vec::new(),
            });
        [&[answer.ack], rest.as_slice()].concat()
    }

    /// Gives back all answers that were withheld. What the driver receives changes only now: with another address
    /// before that, nothing would arrive any more at a driver that has to wait.
    pub fn release(&mut self, filter: &mut Filter) -> io::Result<()> {
        self.withheld.drain(..).try_for_each(|withheld| {
            if let Some((command, body)) = &withheld.command {
                filter.obey(*command, body);
            }
            withheld.ring.complete(&withheld.completion).map(drop)
        })
    }

    /// Forgets what was withheld: the driver has reset the device.
    pub fn reset(&mut self) {
        self.withheld.clear();
    }
}
