// SPDX-License-Identifier: GPL-2.0

//! The device's configuration space (virtio 1.3, section 2.5).

pub(crate) mod length;

use crate::{
    Device,
    Feature, //
};
use core::marker::PhantomData;
use kernel::{
    device::Bound,
    prelude::*, //
};

/// How often a field is read again because the configuration changed meanwhile.
const ATTEMPTS: u32 = 64;

/// A type that a field of the configuration space can have.
pub trait Value: Sized {
    /// The bytes of the field.
    type Bytes: AsMut<[u8]> + Copy + PartialEq;

    /// Bytes to read into.
    const ZERO: Self::Bytes;

    /// The width of one access, in bytes: that of the field, or of its elements if it is an array
    /// (virtio 1.3, section 4.1.3.1). Transports know 1, 2, 4 and 8.
    const WIDTH: usize;

    /// The value of `bytes`, which the device wrote in little-endian or in big-endian order.
    fn from_bytes(bytes: Self::Bytes, little_endian: bool) -> Self;
}

impl Value for u16 {
    type Bytes = [u8; 2];
    const ZERO: Self::Bytes = [0; 2];
    const WIDTH: usize = 2;

    fn from_bytes(bytes: Self::Bytes, little_endian: bool) -> Self {
        if little_endian {
            Self::from_le_bytes(bytes)
        } else {
            Self::from_be_bytes(bytes)
        }
    }
}

impl Value for u32 {
    type Bytes = [u8; 4];
    const ZERO: Self::Bytes = [0; 4];
    const WIDTH: usize = 4;

    fn from_bytes(bytes: Self::Bytes, little_endian: bool) -> Self {
        if little_endian {
            Self::from_le_bytes(bytes)
        } else {
            Self::from_be_bytes(bytes)
        }
    }
}

impl<const N: usize> Value for [u8; N] {
    type Bytes = [u8; N];
    const ZERO: Self::Bytes = [0; N];
    const WIDTH: usize = 1;

    fn from_bytes(bytes: Self::Bytes, _little_endian: bool) -> Self {
        bytes
    }
}

/// A field of the configuration space: where it lies and of which type it is.
pub struct Field<T: Value> {
    offset: u32,
    value: PhantomData<T>,
}

impl<T: Value> Field<T> {
    /// The field that starts `offset` bytes into the configuration space.
    pub const fn at(offset: u32) -> Self {
        Self {
            offset,
            value: PhantomData,
        }
    }

    /// Whether it is in a configuration space of `length` bytes.
    pub(crate) fn is_within(&self, length: u32) -> bool {
        // CAST: No value is as long.
        self.offset
            .checked_add(size_of::<T::Bytes>() as u32)
            .is_some_and(|end| end <= length)
    }
}

impl Device {
    /// Whether the device writes multi-byte fields in little-endian order: a modern device always,
    /// a legacy one if the guest does.
    #[inline]
    pub fn is_little_endian(&self) -> bool {
        cfg!(target_endian = "little") || self.has(Feature::VERSION_1)
    }
}

impl Device<Bound> {
    /// Reads a field as it was at one point in time.
    ///
    /// The field has to be there with the features that have been negotiated. Process context: some
    /// transports sleep.
    ///
    /// # Errors
    ///
    /// `EIO` if the device kept changing its configuration while it was read.
    pub fn read_config<T: Value>(&self, field: &Field<T>) -> Result<T> {
        let ops = self.ops();
        let get = ops.get.ok_or(EIO)?;
        // SAFETY: The device is valid. A transport without the operation has no torn reads.
        let generation = || ops.generation.map(|f| unsafe { f(self.as_raw()) });
        let mut bytes = T::ZERO;

        for _ in 0..ATTEMPTS {
            let before = generation();
            let mut offset = field.offset;
            for into in bytes.as_mut().chunks_exact_mut(T::WIDTH) {
                // SAFETY: The device is valid, and `into` is a buffer of the length that is passed.
                unsafe {
                    get(
                        self.as_raw(),
                        offset,
                        into.as_mut_ptr().cast(),
                        T::WIDTH as u32,
                    )
                };
                offset += T::WIDTH as u32;
            }
            if generation() == before {
                return Ok(T::from_bytes(bytes, self.is_little_endian()));
            }
        }
        dev_err!(
            self,
            "device changes its configuration faster than it can be read\n"
        );
        Err(EIO)
    }

    /// Writes a field byte by byte, as the MAC address of a legacy device is set. The device may see
    /// one that is half written.
    ///
    /// Process context: some transports sleep.
    ///
    /// # Errors
    ///
    /// `EIO` if the transport has no way to write.
    pub fn write_config<const N: usize>(&self, field: &Field<[u8; N]>, value: [u8; N]) -> Result {
        let set = self.ops().set.ok_or(EIO)?;
        for (offset, byte) in (field.offset..).zip(value) {
            // SAFETY: The device is valid, and one byte is passed.
            unsafe { set(self.as_raw(), offset, core::ptr::from_ref(&byte).cast(), 1) };
        }
        Ok(())
    }
}
