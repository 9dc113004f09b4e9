// SPDX-License-Identifier: GPL-2.0

//! Feature bits and their negotiation.

use crate::{
    bindings,
    config::{
        length,
        Field,
        Value, //
    },
    Device, //
};
use kernel::{
    device::Bound,
    prelude::*, //
};

/// The number of feature bits that the kernel's virtio core knows.
const BITS: u32 = 128;

/// A feature bit (virtio 1.3, section 2.2).
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Feature(u32);

impl Feature {
    /// `VIRTIO_F_ANY_LAYOUT`: a legacy device that takes buffers however they are cut into
    /// segments.
    pub const ANY_LAYOUT: Self = Self::new(27);
    /// `VIRTIO_F_INDIRECT_DESC`: a buffer of several segments takes one descriptor of the ring. Taken by the virtio core.
    pub const INDIRECT_DESC: Self = Self::new(28);
    /// `VIRTIO_F_VERSION_1`: the device follows virtio 1.0 or later.
    pub const VERSION_1: Self = Self::new(32);

    /// `VIRTIO_F_RING_PACKED`: the rings are packed ones. Taken by the virtio core.
    pub const RING_PACKED: Self = Self::new(34);
    /// `VIRTIO_F_RING_RESET`: single queues can be reset. Taken by the virtio core.
    pub const RING_RESET: Self = Self::new(40);

    /// The feature with the number `bit`.
    ///
    /// # Panics
    ///
    /// At compile time when used for a constant, if `bit` is 128 or more.
    pub const fn new(bit: u32) -> Self {
        assert!(bit < BITS);
        Self(bit)
    }

    /// The number of the feature bit: 0 to 127.
    pub const fn bit(self) -> u32 {
        self.0
    }

    /// Whether this bit is set in `words`.
    #[inline]
    fn is_in(self, words: &[u64; 2]) -> bool {
        words[(self.0 / 64) as usize] >> (self.0 % 64) & 1 == 1
    }

    /// What `struct virtio_driver` wants for a table of features.
    pub(crate) fn as_table(features: &'static [Self]) -> (*const u32, u32) {
        // CAST: `Feature` is a transparent wrapper of `u32`. No table is longer than 128 entries.
        (features.as_ptr().cast(), features.len() as u32)
    }
}

impl Device {
    /// Whether `feature` has been negotiated.
    ///
    /// Any context. Until [`Driver::validate`](crate::Driver::validate) has returned, the answer
    /// may still change. Unlike C's `virtio_has_feature()` this may be asked of any feature: one
    /// that is in no table of the driver has not been negotiated.
    #[inline]
    pub fn has(&self, feature: Feature) -> bool {
        feature.is_in(&self.features())
    }

    /// All that has been negotiated: bit 0 is the lowest one of the first word. As for [`has`](Self::has).
    #[inline]
    pub fn features(&self) -> [u64; 2] {
        // SAFETY: `self.as_raw()` is valid, and the union's arms are arrays of the same bits, of
        // which nothing writes to any after feature negotiation.
        unsafe { (*self.as_raw()).__bindgen_anon_1.features_array }
    }
}

/// A device whose features are being negotiated: it has taken the intersection of its own and the
/// driver's, which has not become final.
///
/// It exists for the duration of [`Driver::validate`](crate::Driver::validate).
pub struct Negotiation<'a> {
    device: &'a Device<Bound>,
    offered: [u64; 2],
    /// The length of the configuration space, in bytes, if it is known.
    room: Option<u32>,
}

impl<'a> Negotiation<'a> {
    pub(crate) fn new(device: &'a Device<Bound>) -> Self {
        let mut offered = [0; 2];
        // SAFETY: `device.as_raw()` is valid, and the function writes two words.
        unsafe { bindings::virtio_get_features(device.as_raw(), offered.as_mut_ptr()) };
        let room = length::of(device);
        Self {
            device,
            offered,
            room,
        }
    }

    /// The device. Its configuration may be read as far as it [has room](Self::has_room).
    pub fn device(&self) -> &'a Device<Bound> {
        self.device
    }

    /// Whether the device offers `feature`, taken by the driver or not.
    #[inline]
    pub fn offers(&self, feature: Feature) -> bool {
        feature.is_in(&self.offered)
    }

    /// Checks that `feature` is not offered without `needs`, on which it depends.
    ///
    /// # Errors
    ///
    /// `EINVAL`, after one line in the log that names both.
    pub fn require(&self, feature: (Feature, &str), needs: (Feature, &str)) -> Result {
        if self.offers(feature.0) && !self.offers(needs.0) {
            dev_err!(
                self.device,
                "device offers {} but not {}, which it depends on: correct the device's features\n",
                feature.1,
                needs.1
            );
            return Err(EINVAL);
        }
        Ok(())
    }

    /// Whether the configuration space is long enough for `field`.
    ///
    /// Where the transport does not know its length, it is taken to be: over MMIO, or with vDPA, what is beyond
    /// its end reads as whatever the device makes of that. Over PCI reading there would be fatal, or would read
    /// what is not the device's.
    pub fn has_room<T: Value>(&self, field: &Field<T>) -> bool {
        self.room.is_none_or(|room| field.is_within(room))
    }

    /// Does without those of `dependent` that have been taken, if none of `needs`, on which they depend,
    /// has. A line in the log names each by its number.
    pub fn drop_without(&self, needs: &[Feature], dependent: &[Feature]) {
        if needs.iter().any(|needed| self.device.has(*needed)) {
            return;
        }
        for feature in dependent.iter().filter(|it| self.device.has(**it)) {
            dev_warn!(
                self.device,
                "device offers feature {} without what it depends on: doing without it\n",
                feature.0
            );
            self.drop(*feature);
        }
    }

    /// Does without `feature`. Whoever calls this says so in the log, and why.
    pub fn drop(&self, feature: Feature) {
        // SAFETY: The device is valid. During `validate` nobody else has a look at what has been
        // negotiated, as the device is not bound yet. The union's arms are arrays of the same bits.
        unsafe {
            let words =
                core::ptr::addr_of_mut!((*self.device.as_raw()).__bindgen_anon_1.features_array);
            (*words)[(feature.0 / 64) as usize] &= !(1 << (feature.0 % 64));
        }
    }
}
