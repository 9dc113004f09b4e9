// SPDX-License-Identifier: GPL-2.0

//! What a test asks for: a line of JSON each, answered by one.

use crate::{
    control::Answer,
    device::Device,
    fault::Fault,
    header::{Header, Packet},
    hex,
    notice::Channel,
    pci::Function,
    peer::Peer,
    queue::Queue,
    random::Choice,
    state::State,
};
use serde::Deserialize;
use serde_json::{json, Value};
use std::{
    io::{self, BufRead, BufReader, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
};

/// How much of the configuration is shown: all that there are fields for without tunnels.
const SPACE: usize = 24;

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
    /// The numbers of the features that the driver has accepted.
    Features,
    /// Writes all packets of the data queues, both ways, to a new pcapng file from now on, or no longer. That
    /// before it has all of its packets then, unless the answer says that it could not be written.
    Capture { path: Option<PathBuf> },
    /// Who takes what the driver sends from now on, and sends to it: the TAP at first.
    Peer { kind: Peer },
    /// What the driver wants to receive of what the TAP has. What a test orders is received in any case.
    Filters,
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
    /// Has the driver receive a packet so many times, as fast as it lends buffers.
    Flood {
        queue: usize,
        #[serde(deserialize_with = "hex::deserialize")]
        bytes: Vec<u8>,
        count: u64,
    },
    /// The packets that the driver has sent since the last call, 256 at most, with their queues.
    Sent,
    /// What is to be wrong with the next packets of a queue, if anything.
    Faults {
        queue: usize,
        faults: Vec<Option<Fault>>,
    },
    /// What is to be wrong with packets of all queues is chosen by chance, or no longer.
    Random { choice: Option<Choice> },
    /// How many packets something was wrong with.
    Faulty,
    /// The device does nothing in a queue, or goes on.
    Stop { queue: usize, on: bool },
    /// There are no interrupts of a queue, or there are.
    Mute { queue: usize, on: bool },
    /// The next notifications of a queue by the driver are not heard.
    Deafen { queue: usize, count: u32 },
    /// Interrupts of a queue, for no reason but what was to be given back later.
    Interrupt { queue: usize, count: u32 },
    /// How many interrupts of a queue there were since the driver has reset the device.
    Interrupts { queue: usize },
    /// Changes bytes of the configuration, if there are any, and has the driver interrupted for that. With
    /// vhost-user only if there is one: else QEMU would end, and there must not be one that leaves meanwhile.
    Configure {
        #[serde(default)]
        offset: usize,
        #[serde(default, deserialize_with = "hex::deserialize")]
        bytes: Vec<u8>,
    },
    /// The configuration, as the driver can read it.
    Configuration,
    /// The device status.
    Status,
    /// How many descriptors the rings of each queue have.
    Rings,
    /// The device can do no more until the driver resets it, and says so.
    BreakDown,
    /// How often the driver reads that a queue is being reset before it has been.
    ResetSlowly { reads: u32 },
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

fn queue_of(queues: &mut [Queue], number: usize) -> io::Result<&mut Queue> {
    let queue = queues.get_mut(number);
    queue.ok_or_else(|| io::Error::other("no such queue is in use"))
}

fn of_pci(function: &mut Option<Function>) -> io::Result<&mut Function> {
    let missing = || io::Error::other("QEMU has the PCI function");
    function.as_mut().ok_or_else(missing)
}

fn obey(order: Order, device: &Device) -> io::Result<Value> {
    let mut guard = device.state();
    let State {
        queues,
        world,
        control,
        traffic,
        channel,
        function,
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
            control.release(&mut world.filter)?;
            json!({})
        }
        Order::Features => {
            let bits = (0..u128::BITS).filter(|bit| world.terms.has(*bit));
            json!({ "features": bits.collect::<Vec<_>>() })
        }
        Order::Capture { path } => {
            match path {
                Some(path) => traffic.capture.begin(&path)?,
                None => traffic.capture.end()?,
            }
            json!({})
        }
        Order::Peer { kind } => {
            traffic.choose(kind, &device.tap);
            json!({})
        }
        Order::Filters => json!({ "filters": world.filter }),
        Order::Counters => json!({ "counters": traffic.counters }),
        Order::Receive {
            queue,
            header,
            bytes,
            most,
        } => {
            let queue = queue_of(queues, queue)?;
            let packet = Packet { header, bytes };
            let most = most.unwrap_or(usize::MAX);
            json!({ "buffers": traffic.deliver(queue, packet, most, world)? })
        }
        Order::Flood {
            queue,
            bytes,
            count,
        } => {
            let queue = queue_of(queues, queue)?;
            let header = Header::default();
            traffic.flood(queue, Packet { header, bytes }, count, world)?;
            json!({})
        }
        Order::Sent => json!({ "sent": traffic.sent.drain(..).collect::<Vec<_>>() }),
        Order::Faults { queue, faults } => {
            queue_of(queues, queue)?.faults.script(faults);
            json!({})
        }
        Order::Random { choice } => {
            let data = queues.split_last_mut().map(|(_, data)| data);
            for queue in data.unwrap_or_default() {
                queue.faults.choose(choice.clone(), queue.number);
            }
            json!({})
        }
        Order::Faulty => {
            json!({ "faulty": queues.iter().map(|queue| queue.faults.count).sum::<u64>() })
        }
        Order::Stop { queue, on } => {
            queue_of(queues, queue)?.stopped = on;
            guard.work(queue, &device.tap)?;
            json!({})
        }
        Order::Mute { queue, on } => {
            queue_of(queues, queue)?.mute = on;
            json!({})
        }
        Order::Deafen { queue, count } => {
            queue_of(queues, queue)?.deaf = count;
            json!({})
        }
        Order::Interrupt { queue, count } => {
            world.interrupt(queue_of(queues, queue)?, count)?;
            json!({})
        }
        Order::Interrupts { queue } => {
            json!({ "interrupts": world.counts.of(queue).interrupts })
        }
        Order::Configure { offset, bytes } => {
            world.terms.space.write(offset, &bytes);
            if let Some(function) = function {
                function.change()?;
            } else if queues.iter().any(Queue::is_ready) {
                let channel = channel.as_ref().map(Channel::copy).transpose()?;
                drop(guard);
                channel
                    .ok_or_else(|| io::Error::other("QEMU has no ear for it"))?
                    .notify()?;
            }
            json!({})
        }
        Order::Configuration => {
            json!({ "configuration": hex::text(&guard.configuration(0, SPACE)) })
        }
        Order::Status => json!({ "status": of_pci(function)?.status() }),
        Order::Rings => json!({ "rings": of_pci(function)?.rings() }),
        Order::BreakDown => {
            queues.iter_mut().for_each(Queue::disable);
            of_pci(function)?.break_down()?;
            json!({})
        }
        Order::ResetSlowly { reads } => {
            of_pci(function)?.reset_slowly(reads);
            json!({})
        }
        Order::Violations => json!({ "violations": world.judge.take() }),
    })
}
