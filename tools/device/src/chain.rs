// SPDX-License-Identifier: GPL-2.0

//! What the driver puts into a queue.

use std::io::{self, Read, Write};
use vhost_user_backend::{VringRwLock, VringT};
use virtio_queue::QueueT;
use vm_memory::{GuestAddressSpace, GuestMemoryAtomic, GuestMemoryLoadGuard, GuestMemoryMmap};

/// The memory of the guest.
pub type Memory = GuestMemoryAtomic<GuestMemoryMmap>;

/// A chain of descriptors that the device has taken and not returned yet.
pub struct Taken(virtio_queue::DescriptorChain<GuestMemoryLoadGuard<GuestMemoryMmap>>);

/// Takes the next chain of a queue, if the driver has set up the queue and there is one.
pub fn take(ring: &VringRwLock, memory: &Memory) -> Option<Taken> {
    let mut state = ring.get_mut();
    let queue = state.get_queue_mut();
    if !queue.ready() {
        return None;
    }
    queue.pop_descriptor_chain(memory.memory()).map(Taken)
}

/// Works off all that is in a queue, also what comes meanwhile.
pub fn drain(ring: &VringRwLock, mut work: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    loop {
        ring.disable_notification().map_err(io::Error::other)?;
        work()?;
        if !ring.enable_notification().map_err(io::Error::other)? {
            return Ok(());
        }
    }
}

impl Taken {
    /// The number that the driver knows the chain by.
    pub fn id(&self) -> u16 {
        self.0.head_index()
    }

    /// All that the device may read.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let memory = self.0.memory();
        let mut reader = self.0.clone().reader(memory).map_err(io::Error::other)?;
        reader.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// How many bytes the device may write.
    pub fn room(&self) -> io::Result<usize> {
        let memory = self.0.memory();
        Ok(self
            .0
            .clone()
            .writer(memory)
            .map_err(io::Error::other)?
            .available_bytes())
    }

    /// Writes as much as there is room for, and says how much that is.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let memory = self.0.memory();
        let mut writer = self.0.clone().writer(memory).map_err(io::Error::other)?;
        let length = bytes.len().min(writer.available_bytes());
        writer.write_all(&bytes[..length])?;
        Ok(length)
    }
}

/// Returns a chain to the driver, with what the device says it has written, and interrupts if the
/// driver wants it.
pub fn give_back(ring: &VringRwLock, id: u16, written: u32) -> io::Result<()> {
    ring.add_used(id, written).map_err(io::Error::other)?;
    if ring.needs_notification().map_err(io::Error::other)? {
        ring.signal_used_queue()?;
    }
    Ok(())
}
