// SPDX-License-Identifier: GPL-2.0

//! `agent python WORDS...`: runs a program in Python in a child of the interpreter that is there already (interpreter.py),
//! which takes this process's files, folder and group.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::system;

const SOCKET: &str = "/run/python";
/// How long the interpreter has to come up.
const LIMIT: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(20);

/// It may not be there yet, in a guest that has just booted.
fn connect() -> io::Result<UnixStream> {
    let limit = Instant::now() + LIMIT;
    loop {
        match UnixStream::connect(SOCKET) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) && Instant::now() < limit => {
                std::thread::sleep(PAUSE)
            }
            done => return done,
        }
    }
}

/// Returns the status; that of a program that a signal ended is negative.
pub fn run(words: impl Iterator<Item = String>) -> io::Result<i32> {
    // Signals go to the group: the program decides what comes of them, and this process says it.
    system::ignore_interruptions();
    let folder = std::env::current_dir()?;
    let mut request = format!("{}\0{}", std::process::id(), folder.display());
    for word in words {
        request.push('\0');
        request.push_str(&word);
    }
    request.push_str("\0\0");
    let mut stream = connect()?;
    stream.write_all(request.as_bytes())?;
    let mut status = [0; 2];
    stream.read_exact(&mut status)?;
    Ok(i16::from_le_bytes(status).into())
}
