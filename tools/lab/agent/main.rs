// SPDX-License-Identifier: GPL-2.0

//! Does in the guest what the host asks for, over a port of virtio-serial, which depends on nothing that is under test. Over a
//! serial port that is emulated each byte takes as long as a packet.
//!
//! A single thread waits for requests and for commands to end. In a guest that is emulated a thread for each, or an
//! interpreter, takes as long as most commands do.

mod command;
mod kernel;
mod message;
mod operations;
mod python;
mod system;

use std::fs::File;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use message::{Answer, Requests};
use operations::Operations;

/// Where the kernel has such ports, and what ours is called.
const PORTS: &str = "/sys/class/virtio-ports";
const NAME: &str = "agent";
/// How much is read at once, in bytes.
const PIECE: usize = 32768;
/// How long to wait for the host, which is not there while the guest is saved.
const PAUSE: Duration = Duration::from_millis(10);

fn main() -> io::Result<()> {
    let mut words = std::env::args().skip(1);
    if words.next().as_deref() == Some("python") {
        let status = python::run(words)?;
        if status < 0 {
            system::end_by_signal(-status);
        }
        std::process::exit(status);
    }
    let found = operations::saying(PORTS, "name", NAME)?;
    let name = found.first().ok_or_else(|| io::Error::other("there is no port to the host"))?;
    let mut port = File::options().read(true).write(true).open(format!("/dev/{name}"))?;
    let mut requests = Requests::default();
    let mut piece = vec![0; PIECE];
    let mut operations = Operations::new()?;
    Answer::done(0, Vec::new()).write(&mut port)?;
    loop {
        for answer in operations.ended(Instant::now()) {
            answer.write(&mut port)?;
        }
        if system::readable(&port, &operations.waiting(), operations.deadline())? {
            let length = port.read(&mut piece)?;
            requests.add(&piece[..length]);
            if length == 0 {
                std::thread::sleep(PAUSE);
            }
        }
        while let Some(request) = requests.next() {
            if let Some(answer) = operations.begin(request) {
                answer.write(&mut port)?;
            }
        }
    }
}
