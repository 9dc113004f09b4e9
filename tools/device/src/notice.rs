// SPDX-License-Identifier: GPL-2.0

//! The channel on which a device tells QEMU that its configuration is another one.

use std::{
    fs,
    io::{self, Read, Write},
    os::{
        fd::{OwnedFd, RawFd},
        unix::net::UnixStream,
    },
};
use vmm_sys_util::sock_ctrl_msg::ScmSocket;

/// `VHOST_USER_BACKEND_CONFIG_CHANGE_MSG`, the version of the protocol with the flag that there is to be
/// an answer, and nothing behind it.
const CHANGED: [u32; 3] = [2, 1 | (1 << 3), 0];
/// The length of the answer, which is a header and 64 bits, and where those are.
const ANSWER: usize = 20;
const RESULT: usize = 12;

/// The channel. QEMU interrupts the driver for each message.
pub struct Channel(UnixStream);

impl Channel {
    /// Finds it among the open files: the crate, which is about to close it, has no such message and
    /// does not say which it is. It is the only socket without a name.
    pub fn find() -> io::Result<Self> {
        let entries: Vec<_> = fs::read_dir("/proc/self/fd")?.collect::<Result<_, _>>()?;
        for entry in entries {
            let number = entry.file_name().to_string_lossy().parse();
            let target = fs::read_link(entry.path()).unwrap_or_default();
            if !target.to_string_lossy().starts_with("socket:") {
                continue;
            }
            let socket = copy(number.map_err(io::Error::other)?)?;
            if socket.local_addr()?.is_unnamed() {
                return Ok(Self(socket));
            }
        }
        Err(io::ErrorKind::NotFound.into())
    }

    /// Another handle of it, for whoever waits for QEMU. QEMU waits for the device at times.
    pub fn copy(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    /// Notifies QEMU, and waits until it has done what there is to do.
    pub fn notify(&mut self) -> io::Result<()> {
        let bytes: Vec<u8> = CHANGED.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.0.write_all(&bytes)?;
        let mut answer = [0; ANSWER];
        self.0.read_exact(&mut answer)?;
        if answer[RESULT..].iter().any(|byte| *byte != 0) {
            return Err(io::Error::other("QEMU does not interrupt the driver"));
        }
        Ok(())
    }
}

/// Another handle of an open socket: one that has been sent to oneself.
fn copy(number: RawFd) -> io::Result<UnixStream> {
    let (to, from) = UnixStream::pair()?;
    to.send_with_fd(&[0][..], number)?;
    let (_, file) = from.recv_with_fd(&mut [0])?;
    let file = file.ok_or(io::ErrorKind::NotFound)?;
    Ok(OwnedFd::from(file).into())
}
