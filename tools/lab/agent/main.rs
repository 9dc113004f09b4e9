// SPDX-License-Identifier: GPL-2.0

//! Does in the guest what the host asks for, over the second serial port: serial, because it depends on nothing that is
//! under test.
//!
//! A single thread waits for requests and for commands to end. In a guest that is emulated a thread for each, or an
//! interpreter, takes as long as most commands do.

mod command;
mod kernel;
mod message;
mod operations;
mod system;

use std::fs::File;
use std::io::Read;
use std::time::Instant;

use message::{Answer, Requests};
use operations::Operations;

const PORT: &str = "/dev/ttyS1";
/// How much is read at once, in bytes.
const PIECE: usize = 4096;

fn main() -> std::io::Result<()> {
    let mut port = File::options().read(true).write(true).open(PORT)?;
    system::make_raw(&port)?;
    let mut requests = Requests::default();
    let mut operations = Operations::new()?;
    Answer::done(0, Vec::new()).write(&mut port)?;
    loop {
        for answer in operations.ended(Instant::now()) {
            answer.write(&mut port)?;
        }
        if system::readable(&port, &operations.waiting(), operations.deadline())? {
            let mut piece = [0; PIECE];
            let length = port.read(&mut piece)?;
            requests.add(&piece[..length]);
        }
        while let Some(request) = requests.next() {
            if let Some(answer) = operations.begin(request) {
                answer.write(&mut port)?;
            }
        }
    }
}
