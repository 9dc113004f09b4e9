// SPDX-License-Identifier: GPL-2.0

//! The messages by which the function interrupts.

use std::{
    fs::File,
    io::{self, Write},
};

/// `VIRTIO_MSI_NO_VECTOR`
pub const NONE: u16 = 0xffff;

/// By whom each is heard.
pub struct Vectors(Vec<Option<File>>);

impl Vectors {
    /// So many, that nobody hears yet.
    pub fn new(count: u16) -> Self {
        Self((0..count).map(|_| None).collect())
    }

    /// From now on the first of these is heard by whoever reads a file, and the others by nobody. None of them
    /// is all, in the protocol.
    pub fn set(&mut self, first: u32, count: u32, mut file: Option<File>) {
        let count = if count == 0 { u32::MAX } else { count };
        let some = self.0.iter_mut().skip(first as usize);
        some.take(count as usize)
            .for_each(|vector| *vector = file.take());
    }

    /// Another handle of what hears a vector.
    pub fn file(&self, vector: u16) -> io::Result<Option<File>> {
        let file = self.0.get(usize::from(vector)).and_then(Option::as_ref);
        file.map(File::try_clone).transpose()
    }

    /// Interrupts by this vector.
    pub fn interrupt(&self, vector: u16) -> io::Result<()> {
        match self.0.get(usize::from(vector)).and_then(Option::as_ref) {
            Some(mut file) => file.write_all(&1u64.to_ne_bytes()),
            None => Ok(()),
        }
    }
}
