// SPDX-License-Identifier: GPL-2.0

//! Commands. What one says goes to a file: nobody has to read while it runs.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::system;

const FOLDER: &str = "/dev/shm";
/// A file without a name, from <fcntl.h>.
const O_TMPFILE: i32 = 0o20200000;
const SIGKILL: i32 = 9;
/// How long a command that was killed has to end.
const DYING: Duration = Duration::from_secs(5);

/// A file that is gone with the last who has it open.
fn nameless() -> io::Result<File> {
    File::options().read(true).write(true).custom_flags(O_TMPFILE).open(FOLDER)
}

/// Starts a program, as the leader of a group that is all it starts.
pub fn start(argv: &[String], input: Stdio, out: File, err: File) -> io::Result<(Child, OwnedFd)> {
    let (program, arguments) = argv.split_first().ok_or_else(|| io::Error::other("no command"))?;
    let child = Command::new(program)
        .args(arguments)
        .stdin(input)
        .stdout(out)
        .stderr(err)
        .process_group(0)
        .spawn()
        .map_err(|error| io::Error::other(format!("{program}: {error}")))?;
    let ended = system::process(child.id())?;
    Ok((child, ended))
}

/// As programs in Python have it: a signal is a negative number.
pub fn status(child: &mut Child) -> io::Result<Option<i32>> {
    let status = child.try_wait()?;
    Ok(status.and_then(|status| status.code().or_else(|| status.signal().map(|signal| -signal))))
}

/// A command that the host waits for.
pub struct Run {
    pub number: u64,
    child: Child,
    ended: OwnedFd,
    pub deadline: Instant,
    killed: bool,
    out: File,
    err: File,
}

impl Run {
    pub fn start(number: u64, argv: &[String], input: &[u8], limit: Duration) -> io::Result<Self> {
        let (out, err) = (nameless()?, nameless()?);
        let stdin = if input.is_empty() {
            Stdio::null()
        } else {
            let mut file = nameless()?;
            file.write_all(input)?;
            file.rewind()?;
            file.into()
        };
        let (child, ended) = start(argv, stdin, out.try_clone()?, err.try_clone()?)?;
        Ok(Run { number, child, ended, deadline: Instant::now() + limit, killed: false, out, err })
    }

    pub fn file(&self) -> RawFd {
        self.ended.as_raw_fd()
    }

    /// What came of it, if that can be said: its status, whether it was killed for it took too long, and what it said.
    pub fn ended(&mut self, now: Instant) -> io::Result<Option<Vec<Vec<u8>>>> {
        let status = status(&mut self.child)?;
        if status.is_none() && now < self.deadline {
            return Ok(None);
        }
        if status.is_none() && !self.killed {
            self.killed = true;
            self.deadline = now + DYING;
            system::signal_group(self.child.id(), SIGKILL);
            return Ok(None);
        }
        let (mut out, mut err) = (said(&mut self.out)?, said(&mut self.err)?);
        if status.is_none() {
            out.clear();
            err = b"(the process cannot be killed)".to_vec();
        }
        let (status, killed) = (status.unwrap_or(-SIGKILL).to_string(), u8::from(self.killed).to_string());
        Ok(Some(vec![status.into_bytes(), killed.into_bytes(), out, err]))
    }
}

fn said(file: &mut File) -> io::Result<Vec<u8>> {
    let mut data = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut data)?;
    Ok(data)
}
