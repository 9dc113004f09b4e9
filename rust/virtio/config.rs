// SPDX-License-Identifier: GPL-2.0

//! The device's configuration space (virtio 1.3, section 2.5).
//!
//! A field has one of a few types, and lies behind the one before it: an order that the driver gives as constants,
//! which do not compile if they go beyond 256 bytes, the shortest room of any transport. Reads are repeated while
//! the generation changes, a bounded number of times. Features whose fields lie beyond the length of the space
//! are done without, and such a field can be neither read nor written.

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

/// The longest configuration space that there can be, in bytes: what the transport over channel I/O has a buffer for, and
/// what there is behind the registers of a device over MMIO before those of the next one may begin.
const MOST: u32 = 256;

/// How often a field is read again because the configuration changed meanwhile.
const ATTEMPTS: u32 = 64;

mod sealed {
    pub trait Sealed {}

    impl Sealed for u16 {}
    impl Sealed for u32 {}
    impl<const N: usize> Sealed for [u8; N] {}
}

/// A type that a field of the configuration space can have: one of those below.
pub trait Value: sealed::Sealed + Sized {
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
///
/// A driver says in which order the fields come, as constants. So none overlaps another one, and none lies
/// beyond what there can be, 256 bytes: such a constant does not compile, and outside of one it panics.
///
/// ```ignore
/// const MAC: Field<[u8; 6]> = Field::first();
/// const STATUS: Field<u16> = MAC.then();
/// ```
///
/// # Invariants
///
/// Its `end` is at most `MOST`, and not less than the size of `T`.
pub struct Field<T: Value> {
    end: u32,
    value: PhantomData<T>,
}

impl<T: Value> Field<T> {
    // CAST: A larger one does not pass the check below.
    const SIZE: u32 = size_of::<T::Bytes>() as u32;

    /// The field that the configuration space begins with.
    pub const fn first() -> Self {
        Self::starting_at(0)
    }

    /// The field behind this one.
    pub const fn then<U: Value>(&self) -> Field<U> {
        Field::starting_at(self.end)
    }

    const fn starting_at(offset: u32) -> Self {
        assert!(size_of::<T::Bytes>() <= (MOST - offset) as usize);
        // INVARIANT: As has just been checked; and `offset` is 0 or the end of a field.
        Self {
            end: offset + Self::SIZE,
            value: PhantomData,
        }
    }

    /// Where it starts, in bytes.
    const fn offset(&self) -> u32 {
        self.end - Self::SIZE
    }

    /// Whether it is in a configuration space of `length` bytes.
    pub(crate) fn is_within(&self, length: u32) -> bool {
        self.end <= length
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
    /// Checks that a field that ends there is in the configuration space, as far as the transport knows how long
    /// that is.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it is not.
    fn check(&self, end: u32) -> Result {
        match length::of(self) {
            Some(length) if end > length => Err(EINVAL),
            _ => Ok(()),
        }
    }

    /// Reads a field as it was at one point in time.
    ///
    /// The field has to be there with the features that have been negotiated. Process context: some
    /// transports sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the device's configuration space is known to be too short for the field; `EIO` if the device
    /// kept changing its configuration while it was read.
    pub fn read_config<T: Value>(&self, field: &Field<T>) -> Result<T> {
        self.check(field.end)?;
        let mut bytes = T::ZERO;
        self.read_bytes(field.offset(), T::WIDTH, bytes.as_mut())?;
        Ok(T::from_bytes(bytes, self.is_little_endian()))
    }

    /// Reads bytes of the configuration space from `offset` on, `width` at a time.
    ///
    /// # Errors
    ///
    /// `EIO`, see [`read_config`](Self::read_config).
    // The fields of all types share it.
    #[inline(never)]
    fn read_bytes(&self, offset: u32, width: usize, bytes: &mut [u8]) -> Result {
        let ops = self.ops();
        let get = ops.get.ok_or(EIO)?;
        // A single access reads what was there at one point in time (virtio 1.3, section 2.5.1).
        let can_tear = bytes.len() > width;
        let generation = ops.generation.filter(|_| can_tear);
        // SAFETY: The device is valid. A transport without the operation has no torn reads.
        let generation = || generation.map(|f| unsafe { f(self.as_raw()) });

        for _ in 0..ATTEMPTS {
            let before = generation();
            for (offset, into) in (offset..).step_by(width).zip(bytes.chunks_exact_mut(width)) {
                let (to, len) = (into.as_mut_ptr().cast(), width as u32);
                // SAFETY: The device is valid, and `into` is a buffer of the length that is passed, which is
                // one of a few. Nothing is beyond `MOST`.
                unsafe { get(self.as_raw(), offset, to, len) };
            }
            if generation() == before {
                return Ok(());
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
    /// `EINVAL` if the device's configuration space is known to be too short for the field; `EIO` if the transport
    /// has no way to write.
    pub fn write_config<const N: usize>(&self, field: &Field<[u8; N]>, value: [u8; N]) -> Result {
        self.check(field.end)?;
        let set = self.ops().set.ok_or(EIO)?;
        for (offset, byte) in (field.offset()..).zip(value) {
            // SAFETY: The device is valid, and one byte is passed. The field is in the configuration space.
            unsafe { set(self.as_raw(), offset, core::ptr::from_ref(&byte).cast(), 1) };
        }
        Ok(())
    }
}
