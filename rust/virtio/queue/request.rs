// SPDX-License-Identifier: GPL-2.0

//! Requests for virtqueues.

use super::{
    resize::Released,
    set::Target,
    Callback, //
};
use core::fmt::Write;
use kernel::{
    fmt,
    prelude::*,
    str::NullTerminatedFormatter,
    sync::Arc, //
};

/// What a driver wants of one virtqueue. Kept as long as the queue is.
pub struct Request {
    pub(super) name: Name,
    pub(super) target: Option<Target>,
    /// Whether the queue keeps a word beside each buffer.
    pub(super) context: bool,
    pub(super) released: Released,
}

impl Request {
    /// A queue without interrupts, that is polled.
    pub fn polled(name: Name) -> Self {
        Self {
            name,
            target: None,
            context: false,
            released: Released::default(),
        }
    }

    /// A queue whose interrupts go to `callback`.
    pub fn with_callback<C: Callback>(name: Name, callback: Arc<C>) -> Self {
        Self {
            target: Some(Target::new(callback)),
            ..Self::polled(name)
        }
    }

    /// Keeps a word beside each buffer, for a [`Buffer`](super::Buffer) that says
    /// [`Buffer::CONTEXT`](super::Buffer::CONTEXT).
    ///
    /// The virtio core uses no indirect descriptors on such a queue.
    pub fn with_context(self) -> Self {
        Self {
            context: true,
            ..self
        }
    }
}

/// The room for a name and the NUL at its end, in bytes.
const ROOM: usize = 24;

/// The name of a virtqueue, as it is seen in `/proc/interrupts`.
///
/// # Invariants
///
/// It ends with a NUL.
pub struct Name([u8; ROOM]);

impl Name {
    /// # Errors
    ///
    /// `EINVAL` if the name is longer than 23 bytes.
    pub fn new(text: fmt::Arguments<'_>) -> Result<Self> {
        let mut buffer = [0; ROOM];
        NullTerminatedFormatter::new(&mut buffer)
            .and_then(|mut writer| writer.write_fmt(text).ok())
            .ok_or(EINVAL)?;
        // INVARIANT: The writer keeps room for a NUL, which is there from the beginning.
        Ok(Self(buffer))
    }

    pub(super) fn as_char_ptr(&self) -> *const c_char {
        self.0.as_ptr().cast()
    }
}
