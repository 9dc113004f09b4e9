// SPDX-License-Identifier: GPL-2.0

//! What a test asks for: a line of JSON each, answered by one.

use crate::{
    backend::{Device, State},
    control::Answer,
    header::{Header, Packet},
    hex,
};
use serde::Deserialize;
use serde_json::{json, Value};
use std::{
    io::{self, BufRead, BufReader, Write},
    os::unix::net::{UnixListener, UnixStream},
};

#[derive(Deserialize)]
#[serde(tag = "order", rename_all = "snake_case", deny_unknown_fields)]
enum Order {
    /// The commands of the driver since the last call.
    Commands,
    /// How to answer the next commands.
    Script { answers: Vec<Answer> },
    /// What the answers to a command have besides the first byte, from now on.
    Body {
        class: u8,
        code: u8,
        #[serde(deserialize_with = "hex::deserialize")]
        body: Vec<u8>,
    },
    /// The statistics of a virtqueue and type that the header says, from now on.
    Count {
        #[serde(deserialize_with = "hex::deserialize")]
        entry: Vec<u8>,
    },
    /// Gives back the answers that were withheld.
    Release,
    /// The features that the driver has accepted, as a mask.
    Features,
    /// How many packets went where.
    Counters,
    /// Has the driver receive a packet, in buffers with `most` bytes each, and says how many it took.
    Receive {
        #[serde(default)]
        queue: usize,
        #[serde(default)]
        header: Header,
        #[serde(deserialize_with = "hex::deserialize")]
        bytes: Vec<u8>,
        most: Option<usize>,
    },
    /// The packets that the driver has sent since the last call, 256 at most, with their queues.
    Sent,
    /// What the driver has done since the last call that it must not do.
    Violations,
}

/// Serves one test at a time, for as long as the program runs.
pub fn serve(listener: &UnixListener, device: &Device) {
    for stream in listener.incoming().flatten() {
        // A test that has gone away misses nothing.
        let _ = serve_one(stream, device);
    }
}

fn serve_one(stream: UnixStream, device: &Device) -> io::Result<()> {
    let mut answers = stream.try_clone()?;
    for line in BufReader::new(stream).lines() {
        let answer = match serde_json::from_str(&line?) {
            Ok(order) => {
                obey(order, device).unwrap_or_else(|error| json!({ "error": error.to_string() }))
            }
            Err(error) => json!({ "error": error.to_string() }),
        };
        writeln!(answers, "{answer}")?;
    }
    Ok(())
}

fn obey(order: Order, device: &Device) -> io::Result<Value> {
    let mut guard = device.state();
    let State {
        queues,
        world,
        control,
        traffic,
        ..
    } = &mut *guard;
    Ok(match order {
        Order::Commands => json!({ "commands": std::mem::take(&mut control.commands) }),
        Order::Script { answers } => {
            control.script = answers.into();
            json!({})
        }
        Order::Body { class, code, body } => {
            control.bodies.insert((class, code), body);
            json!({})
        }
        Order::Count { entry } => {
            control.stats.put(entry);
            json!({})
        }
        Order::Release => {
            control.release()?;
            json!({})
        }
        Order::Features => json!({ "features": world.accepted }),
        Order::Counters => json!({ "counters": traffic.counters }),
        Order::Receive {
            queue,
            header,
            bytes,
            most,
        } => {
            let queue = queues.get_mut(queue);
            let queue = queue.ok_or_else(|| io::Error::other("no such queue is in use"))?;
            let packet = Packet { header, bytes };
            let most = most.unwrap_or(usize::MAX);
            json!({ "buffers": traffic.deliver(queue, packet, most, world)? })
        }
        Order::Sent => json!({ "sent": traffic.sent.drain(..).collect::<Vec<_>>() }),
        Order::Violations => json!({ "violations": world.judge.take() }),
    })
}
