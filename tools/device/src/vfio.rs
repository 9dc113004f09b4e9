// SPDX-License-Identifier: GPL-2.0

//! The device as vfio-user has it: a PCI function behind QEMU's `vfio-user-pci`.
//!
//! The protocol is written out here, since the crate that has it, `vfio_user`, is not among Debian's packages,
//! nor is `vfio-bindings`, which it needs; and what it needs of others is newer than theirs.
//! It is that of QEMU's `docs/interop/vfio-user.rst`, as far as a device needs it that has no memory which a
//! guest could map and that does not migrate.

mod memory;
mod message;

use crate::{
    chain::Memory,
    device::Device,
    pci::{self, Function},
    queue::Queue,
};
use memory::Ranges;
use message::{number, Request};
use std::{
    io,
    os::{
        fd::AsRawFd,
        unix::net::{UnixListener, UnixStream},
    },
};
use vhost_user_backend::{VringRwLock, VringT};
use vm_memory::{GuestMemoryAtomic, GuestMemoryMmap};
use vmm_sys_util::epoll::{ControlOperation, Epoll, EpollEvent, EventSet};

const VERSION: u16 = 1;
const DMA_MAP: u16 = 2;
const DMA_UNMAP: u16 = 3;
const DEVICE_INFO: u16 = 4;
const REGION_INFO: u16 = 5;
const IRQ_INFO: u16 = 7;
const SET_IRQS: u16 = 8;
const REGION_READ: u16 = 9;
const REGION_WRITE: u16 = 10;
const DEVICE_RESET: u16 = 13;

/// What this end can do. A message with a single file is one that is received without unsafe code.
const CAPABILITIES: &[u8] = b"{\"capabilities\":{\"max_msg_fds\":1}}\0";

/// As in `linux/vfio.h`: a PCI device that can be reset, with so many regions and kinds of interrupts.
const DEVICE: [u32; 4] = [16, 1 | (1 << 1), 9, 5];
/// A region can be read and written.
const ACCESS: u32 = 1 | (1 << 1);
/// Interrupts are said by files. Those that are used may become more at any time.
const BY_FILE: u32 = 1;
/// Of all kinds of interrupts there is this one.
const MSIX: u32 = 2;

/// The events that are waited for.
const FROM_QEMU: u64 = 0;
const FROM_TAP: u64 = 1;

/// Serves one QEMU after the other: the lab starts one again whose guest does not come up.
pub fn run(device: &Device, socket: &str) -> io::Result<()> {
    for stream in UnixListener::bind(socket)?.incoming() {
        let memory = Memory::new(GuestMemoryMmap::new());
        {
            let mut state = device.state();
            state.queues = queues(device.settings.queues(), &memory)?;
            state.memory = Some(memory.clone());
            state.function = Some(Function::new(&device.settings));
            state.forget();
        }
        let server = Server {
            device,
            stream: stream?,
            ranges: Ranges::new(memory),
        };
        if let Err(error) = server.run() {
            eprintln!("QEMU has gone: {error}");
        }
    }
    Ok(())
}

fn queues(count: usize, memory: &GuestMemoryAtomic<GuestMemoryMmap>) -> io::Result<Vec<Queue>> {
    (0..count)
        .map(|number| {
            let vring = VringRwLock::new(memory.clone(), pci::QUEUE_SIZE);
            let vring = vring.map_err(io::Error::other)?;
            Ok(Queue::new(number, vring, memory.clone(), false))
        })
        .collect()
}

/// What talks to QEMU.
struct Server<'a> {
    device: &'a Device,
    stream: UnixStream,
    ranges: Ranges,
}

impl Server<'_> {
    /// Until QEMU ends.
    fn run(mut self) -> io::Result<()> {
        let events = Epoll::new()?;
        for (file, token) in [
            (self.stream.as_raw_fd(), FROM_QEMU),
            (self.device.tap.as_raw_fd(), FROM_TAP),
        ] {
            let event = EpollEvent::new(EventSet::IN, token);
            events.ctl(ControlOperation::Add, file, event)?;
        }
        loop {
            let mut event = [EpollEvent::default()];
            match events.wait(-1, &mut event) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            if event[0].data() == FROM_TAP {
                self.device.state().receive(&self.device.tap);
            } else if !self.serve()? {
                return Ok(());
            }
        }
    }

    /// Answers to one message. Returns whether there was one.
    fn serve(&mut self) -> io::Result<bool> {
        let Some(mut request) = Request::receive(&mut self.stream)? else {
            return Ok(false);
        };
        let answer = self.answer(&mut request);
        if let Err(error) = &answer {
            eprintln!("message {}: {error}", request.command);
        }
        request.reply(&mut self.stream, answer)?;
        Ok(true)
    }

    fn answer(&mut self, request: &mut Request) -> io::Result<Vec<u8>> {
        let body = request.body.as_slice();
        let word = |at| number(body, at).map(|[number]: [u32; 1]| number);
        match request.command {
            VERSION => {
                let version = body.get(..4).ok_or(io::ErrorKind::InvalidInput)?;
                Ok([version, CAPABILITIES].concat())
            }
            DMA_MAP => {
                let [offset, start, length] = number(body, 8)?;
                // What has no file is no memory of the guest's, but that of its firmware.
                if let Some(file) = request.file.take() {
                    self.ranges.add(start, length, file, offset)?;
                }
                Ok(Vec::new())
            }
            DMA_UNMAP => {
                let [start, length] = number(body, 8)?;
                self.ranges.remove(start, length)?;
                Ok(body.to_vec())
            }
            DEVICE_INFO => Ok(bytes(&DEVICE)),
            REGION_INFO => {
                let index = word(8)?;
                let size = pci::region_size(index);
                let access = if size == 0 { 0 } else { ACCESS };
                Ok(bytes(&[32, access, index, 0, size, 0, 0, 0]))
            }
            IRQ_INFO => {
                let index = word(8)?;
                let count = if index == MSIX {
                    pci::vectors(&self.device.settings).into()
                } else {
                    0
                };
                Ok(bytes(&[16, BY_FILE, index, count]))
            }
            SET_IRQS => {
                let (index, start, count) = (word(8)?, word(12)?, word(16)?);
                if index == MSIX {
                    let file = request.file.take();
                    self.device.state().interrupt_by(start, count, file)?;
                }
                Ok(Vec::new())
            }
            REGION_READ => {
                let (region, count) = (word(8)?, word(12)?);
                let [offset] = number(body, 0)?;
                let read = self.device.state().read_region(region, offset, count)?;
                Ok([&body[..16], read.as_slice()].concat())
            }
            REGION_WRITE => {
                let [offset] = number(body, 0)?;
                let (what, value) = body.split_at(16);
                let tap = &self.device.tap;
                self.device
                    .state()
                    .write_region(word(8)?, offset, value, tap)?;
                Ok(what.to_vec())
            }
            DEVICE_RESET => {
                self.device.state().reset_function();
                Ok(Vec::new())
            }
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}
