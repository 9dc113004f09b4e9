// SPDX-License-Identifier: GPL-2.0

//! Messages: a header of 16 bytes, what the command has, and a file with some of them.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::unix::net::UnixStream,
};
use vmm_sys_util::sock_ctrl_msg::ScmSocket;

const HEADER: usize = 16;
/// The longest that is taken.
const LONGEST: usize = 1 << 20;
/// Flags.
const REPLY: u32 = 1;
const NO_REPLY: u32 = 1 << 4;
const ERROR: u32 = 1 << 5;
/// `EINVAL`, for an error that has no number.
const INVALID: i32 = 22;

/// What QEMU asks for.
pub struct Request {
    id: u16,
    /// Its number.
    pub command: u16,
    flags: u32,
    /// What follows the header.
    pub body: Vec<u8>,
    /// What came with it.
    pub file: Option<File>,
}

/// A number of a message.
pub trait Number: Sized {
    /// From the bytes at this place of a message.
    fn at(bytes: &[u8], at: usize) -> Option<Self>;
    /// Its length in bytes.
    const LENGTH: usize;
}

macro_rules! numbers {
    ($($kind:ty),*) => {
        $(impl Number for $kind {
            fn at(bytes: &[u8], at: usize) -> Option<Self> {
                let bytes = bytes.get(at..at + Self::LENGTH)?;
                Some(Self::from_le_bytes(bytes.try_into().ok()?))
            }
            const LENGTH: usize = size_of::<Self>();
        })*
    };
}

numbers!(u16, u32, u64);

/// So many numbers from this place of a message on.
pub fn number<T: Number, const COUNT: usize>(bytes: &[u8], at: usize) -> io::Result<[T; COUNT]> {
    let found: Vec<T> = (0..COUNT)
        .filter_map(|number| T::at(bytes, at + number * T::LENGTH))
        .collect();
    let short = |_| io::Error::new(io::ErrorKind::InvalidInput, "it is too short");
    found.try_into().map_err(short)
}

impl Request {
    /// The next one, unless QEMU has ended.
    pub fn receive(stream: &mut UnixStream) -> io::Result<Option<Self>> {
        let mut header = [0; HEADER];
        let (length, file) = stream.recv_with_fd(&mut header)?;
        if length == 0 {
            return Ok(None);
        }
        stream.read_exact(&mut header[length..])?;
        let [id, command] = number(&header, 0)?;
        let [length, flags]: [u32; 2] = number(&header, 4)?;
        let length = length as usize;
        if !(HEADER..=LONGEST).contains(&length) {
            return Err(io::Error::other(format!("a message of {length} bytes")));
        }
        let mut body = vec![0; length - HEADER];
        stream.read_exact(&mut body)?;
        Ok(Some(Self {
            id,
            command,
            flags,
            body,
            file,
        }))
    }

    /// Answers it, if it wants to be.
    pub fn reply(&self, stream: &mut UnixStream, answer: io::Result<Vec<u8>>) -> io::Result<()> {
        if self.flags & NO_REPLY != 0 {
            return Ok(());
        }
        let (flags, error, body) = match answer {
            Ok(body) => (REPLY, 0, body),
            Err(error) => {
                let number = error.raw_os_error().unwrap_or(INVALID);
                (REPLY | ERROR, number as u32, Vec::new())
            }
        };
        let length = (HEADER + body.len()) as u32;
        let mut bytes = Vec::new();
        bytes.extend(self.id.to_le_bytes());
        bytes.extend(self.command.to_le_bytes());
        bytes.extend(
            [length, flags, error]
                .iter()
                .flat_map(|word| word.to_le_bytes()),
        );
        bytes.extend(body);
        stream.write_all(&bytes)
    }
}
