// SPDX-License-Identifier: GPL-2.0

//! Requests for virtqueues.

use super::{
    resize::Released,
    set::Target,
    Callback,
    Moment, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// What a driver wants of one virtqueue. Kept as long as the queue is.
pub struct Request {
    pub(super) name: Name,
    pub(super) target: Option<Target>,
    /// Whether the queue keeps a word beside each buffer.
    pub(super) context: bool,
    /// Whether the descriptors of each buffer are in the ring itself.
    pub(super) direct: bool,
    pub(super) released: Released,
    /// When the device said last that it has used buffers.
    pub(super) interrupted: Moment,
}

impl Request {
    /// A queue without interrupts, that is polled.
    pub fn polled(name: Name) -> Self {
        Self {
            name,
            target: None,
            context: false,
            direct: false,
            released: Released::default(),
            interrupted: Moment::default(),
        }
    }

    /// A queue whose interrupts go to the callback `C`, which is called with `target`.
    pub fn with_callback<C: Callback>(name: Name, target: Arc<C::Target>) -> Self {
        Self {
            target: Some(Target::new::<C>(target)),
            ..Self::polled(name)
        }
    }

    /// Whether the queue has interrupts.
    pub(super) fn has_irq(&self) -> bool {
        self.target.is_some()
    }

    /// Keeps a word beside each buffer, for a [`Buffer`](super::Buffer) that says
    /// [`Buffer::CONTEXT`](super::Buffer::CONTEXT). The queue is [direct](Self::direct) then.
    pub fn with_context(self) -> Self {
        Self {
            context: true,
            ..self.direct()
        }
    }

    /// Has the descriptors of a buffer of several segments in the ring itself, also if the device takes tables of them
    /// (`VIRTIO_F_INDIRECT_DESC`): the virtio core allocates a table for each buffer, and maps it. So a buffer takes as many descriptors
    /// of the ring as it has segments, and none that has more of them than the ring has can be lent.
    pub fn direct(self) -> Self {
        Self {
            direct: true,
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
    /// `EINVAL` if the name is longer than 23 bytes, or has a NUL.
    pub fn new(text: &str) -> Result<Self> {
        let text = text.as_bytes();
        let mut name = [0; ROOM];
        if text.len() >= ROOM || text.contains(&0) {
            return Err(EINVAL);
        }
        // INVARIANT: One byte at least is left of the zeroes.
        name[..text.len()].copy_from_slice(text);
        Ok(Self(name))
    }

    /// The name of the queue `number` of many, such as `input.0`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `kind` is longer than 17 bytes, or has a NUL.
    pub fn numbered(kind: &str, number: u16) -> Result<Self> {
        let mut name = Self::new(kind)?;
        // The point and five digits.
        let rest = name.0.get_mut(kind.len()..ROOM - 1).ok_or(EINVAL)?;
        let (point, digits) = rest.split_first_mut().ok_or(EINVAL)?;
        let count = number.checked_ilog10().map_or(1, |log| log as usize + 1);
        let digits = digits.get_mut(..count).ok_or(EINVAL)?;
        let mut left = number;
        *point = b'.';
        for digit in digits.iter_mut().rev() {
            // CAST: It is less than 10.
            *digit = b'0' + (left % 10) as u8;
            left /= 10;
        }
        Ok(name)
    }

    pub(super) fn as_char_ptr(&self) -> *const c_char {
        self.0.as_ptr().cast()
    }
}
