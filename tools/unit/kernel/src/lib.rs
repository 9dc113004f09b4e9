// SPDX-License-Identifier: GPL-2.0

//! What the sources under test take from the crate of this name, as plain Rust.

/// An error: the name of its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error(pub &'static str);

impl From<core::num::TryFromIntError> for Error {
    fn from(_: core::num::TryFromIntError) -> Self {
        prelude::EINVAL
    }
}

/// As in the kernel.
pub mod prelude {
    pub use super::Error;
    pub use core::mem::size_of;

    /// As in the kernel.
    pub type Result<T = (), E = Error> = core::result::Result<T, E>;

    /// The numbers that are used.
    pub const EIO: Error = Error("EIO");
    /// As above.
    pub const EINVAL: Error = Error("EINVAL");

    /// How memory may be allocated: of no interest here.
    pub struct Flags;
    /// As in the kernel.
    pub const GFP_KERNEL: Flags = Flags;

    /// A vector whose allocations may fail.
    #[derive(Debug, PartialEq)]
    pub struct KVec<T>(Vec<T>);

    impl<T: Clone> KVec<T> {
        /// An empty one.
        pub const fn new() -> Self {
            Self(Vec::new())
        }

        /// One of `count` times `value`.
        pub fn from_elem(value: T, count: usize, _: Flags) -> Result<Self> {
            Ok(Self(vec![value; count]))
        }

        /// Appends copies.
        pub fn extend_from_slice(&mut self, other: &[T], _: Flags) -> Result {
            self.0.extend_from_slice(other);
            Ok(())
        }
    }

    impl<T> core::ops::Deref for KVec<T> {
        type Target = [T];

        fn deref(&self) -> &[T] {
            &self.0
        }
    }

    impl<T> core::ops::DerefMut for KVec<T> {
        fn deref_mut(&mut self) -> &mut [T] {
            &mut self.0
        }
    }

    impl<'a, T> IntoIterator for &'a KVec<T> {
        type Item = &'a T;
        type IntoIter = core::slice::Iter<'a, T>;

        fn into_iter(self) -> Self::IntoIter {
            self.0.iter()
        }
    }
}

/// As in the kernel.
pub mod net {
    /// A device, of which nothing is used.
    pub struct Device<T>(pub T);

    /// As in the kernel.
    pub mod rss {
        /// How much there is to be set.
        #[derive(Clone, Copy)]
        pub struct RssSizes {
            /// The entries of the table.
            pub table: u16,
            /// The bytes of the key.
            pub key: u8,
        }

        /// Packets that have a hash of their own kind.
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[allow(missing_docs)]
        pub enum Flow {
            Ipv4,
            TcpV4,
            UdpV4,
            Ipv6,
            TcpV6,
            UdpV6,
        }

        /// What of a packet is hashed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum HashFields {
            Nothing,
            Addresses,
            AddressesAndPorts,
        }

        /// Something that is not zeroes.
        pub fn fill_key(key: &mut [u8]) {
            key.fill(0x5a);
        }
    }

    /// As in the kernel.
    pub mod stats {
        macro_rules! reported {
            ($name:ident: $($field:ident)*) => {
                /// What a device has counted.
                #[derive(Default, Debug, PartialEq)]
                #[allow(missing_docs)]
                pub struct $name {
                    $(pub $field: Option<u64>,)*
                }
            };
        }

        reported!(RxReported: hw_drops hw_drop_overruns csum_unnecessary csum_none csum_bad hw_gro_packets
            hw_gro_bytes hw_gro_wire_packets hw_gro_wire_bytes hw_drop_ratelimits);
        reported!(TxReported: hw_drops hw_drop_errors csum_none needs_csum hw_gso_packets hw_gso_bytes
            hw_gso_wire_packets hw_gso_wire_bytes hw_drop_ratelimits);
    }
}
