// SPDX-License-Identifier: GPL-2.0

//! The TAP device behind the virtio one.

use std::{fs::File, io, os::fd::AsFd};

/// The length of the header of virtio 1.0 and later without a hash, which the TAP has too.
pub const HEADER: usize = 12;

/// The TAP device, which whoever started the program has opened as its standard input: without
/// blocking, with virtio headers of [`HEADER`] bytes, and without GSO packets that come.
pub fn inherited() -> io::Result<File> {
    Ok(io::stdin().as_fd().try_clone_to_owned()?.into())
}
