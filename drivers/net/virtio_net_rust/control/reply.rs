// SPDX-License-Identifier: GPL-2.0

//! What a device says of a command (virtio 1.3, section 5.1.6.5).

use kernel::prelude::*;

/// `VIRTIO_NET_OK`: the device has done what it was told.
const OK: u8 = 0;

/// What the byte says that ends a command, which is a refusal until the device has written it.
///
/// # Errors
///
/// `EINVAL` for all but one.
pub(super) fn outcome(status: u8) -> Result {
    match status {
        OK => Ok(()),
        _ => Err(EINVAL),
    }
}

/// Whether a device can have written so many bytes of an answer that has room for `room`: at least the first.
pub(super) fn can_be_written(written: u32, room: usize) -> bool {
    usize::try_from(written).is_ok_and(|written| (1..=room).contains(&written))
}
