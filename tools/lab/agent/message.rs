// SPDX-License-Identifier: GPL-2.0

//! What goes over the port: a line with a number, a word and lengths, and so many byte strings behind it.
//!
//! ```text
//! 7 run 5 0 2 1\n60000lsecho...        request 7: an operation and its arguments
//! 7 ok 1 0 3\n0...                     its answer: `ok` and what is returned, or `error` and what is wrong
//! ```

use std::collections::VecDeque;
use std::io::{self, Write};

/// What the host asks for.
pub struct Request {
    pub number: u64,
    pub operation: String,
    pub arguments: VecDeque<Vec<u8>>,
}

impl Request {
    /// The next argument.
    pub fn bytes(&mut self) -> io::Result<Vec<u8>> {
        self.arguments.pop_front().ok_or_else(|| io::Error::other("an argument is missing"))
    }

    pub fn text(&mut self) -> io::Result<String> {
        String::from_utf8(self.bytes()?).map_err(io::Error::other)
    }

    pub fn number<T: std::str::FromStr>(&mut self) -> io::Result<T> {
        let text = self.text()?;
        text.parse().map_err(|_| io::Error::other(format!("{text:?} is no number")))
    }

    /// All that are left, each of them a string.
    pub fn rest(&mut self) -> io::Result<Vec<String>> {
        (0..self.arguments.len()).map(|_| self.text()).collect()
    }
}

/// Requests as they come in, in pieces.
#[derive(Default)]
pub struct Requests {
    read: Vec<u8>,
}

impl Requests {
    pub fn add(&mut self, piece: &[u8]) {
        self.read.extend_from_slice(piece);
    }

    /// The first one that is there as a whole.
    pub fn next(&mut self) -> Option<Request> {
        loop {
            let end = self.read.iter().position(|&byte| byte == b'\n')?;
            let line = String::from_utf8_lossy(&self.read[..end]).into_owned();
            let mut words = line.split(' ');
            let (Some(number), Some(operation)) = (words.next().and_then(|word| word.parse().ok()), words.next()) else {
                self.read.drain(..=end);
                continue;
            };
            let lengths: Vec<usize> = words.filter_map(|word| word.parse().ok()).collect();
            let whole = end + 1 + lengths.iter().sum::<usize>();
            if self.read.len() < whole {
                return None;
            }
            let rest = self.read.split_off(whole);
            let mut strings = std::mem::replace(&mut self.read, rest).split_off(end + 1);
            let arguments = lengths.into_iter().map(|length| strings.drain(..length).collect()).collect();
            return Some(Request { number, operation: operation.to_string(), arguments });
        }
    }
}

/// What the host is told.
pub struct Answer {
    number: u64,
    word: &'static str,
    strings: Vec<Vec<u8>>,
}

impl Answer {
    pub fn done(number: u64, strings: Vec<Vec<u8>>) -> Self {
        Answer { number, word: "ok", strings }
    }

    pub fn failed(number: u64, error: io::Error) -> Self {
        Answer { number, word: "error", strings: vec![error.to_string().into_bytes()] }
    }

    pub fn write(&self, port: &mut impl Write) -> io::Result<()> {
        let lengths: String = self.strings.iter().map(|string| format!(" {}", string.len())).collect();
        let mut data = format!("{} {}{lengths}\n", self.number, self.word).into_bytes();
        data.extend(self.strings.concat());
        port.write_all(&data)
    }
}
