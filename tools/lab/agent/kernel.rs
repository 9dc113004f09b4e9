// SPDX-License-Identifier: GPL-2.0

//! The kernel: its messages, and what it has to be told when the guest goes on from where another one was saved.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;

use crate::system;

const O_NONBLOCK: i32 = 0o4000;
/// From <linux/random.h>.
const RNDADDENTROPY: u64 = 0x4008_5203;
const RNDRESEEDCRNG: u64 = 0x5207;
/// The longest record of /dev/kmsg.
const RECORD: usize = 8192;
const LOST: &str = "0,0,0,-;BUG: lab: kernel messages were lost before they could be read";

/// The kernel's messages, each read once.
pub struct Messages {
    log: File,
}

impl Messages {
    pub fn new() -> io::Result<Self> {
        Ok(Messages { log: File::options().read(true).custom_flags(O_NONBLOCK).open("/dev/kmsg")? })
    }

    /// Records as Documentation/ABI/testing/dev-kmsg has them, the first line of each.
    pub fn read(&mut self) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        let mut record = vec![0; RECORD];
        loop {
            match self.log.read(&mut record) {
                Ok(length) => all.extend(record[..length].split_inclusive(|&byte| byte == b'\n').next().unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(all),
                Err(error) if error.kind() == ErrorKind::BrokenPipe => all.extend(format!("{LOST}\n").bytes()),
                Err(error) => return Err(error),
            }
        }
    }
}

/// What the saved guest knew of the time, had for random numbers and saw on the bus is not this one's.
pub fn resumed(time: u64, seed: &[u8]) -> io::Result<()> {
    system::set_clock(time)?;
    let pool = File::options().write(true).open("/dev/random")?;
    let words = seed.chunks_exact(4).map(|word| u32::from_ne_bytes([word[0], word[1], word[2], word[3]]));
    let length = seed.len() / 4 * 4;
    let added: Vec<u32> = [8 * length as u32, length as u32].into_iter().chain(words).collect();
    // SAFETY: The first operation reads two numbers and as many bytes as the second one says, all of which are in `added`; the
    // other reads nothing.
    unsafe {
        system::control(&pool, RNDADDENTROPY, &added)?;
        system::control(&pool, RNDRESEEDCRNG, &[])?;
    }
    fs::write("/sys/bus/pci/rescan", "1")
}
